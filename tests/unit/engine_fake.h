/* A double of the engine for tests of the wire: it knows a few batches by heart, and echoes parameters. */
#ifndef SHARDGATE_TESTS_ENGINE_FAKE_H
#define SHARDGATE_TESTS_ENGINE_FAKE_H

/* Batches:
 *   select 1        one row, an INT column without name
 *   SELECT @@MAX_PRECISION …  38, as jTDS asks at login
 *   select types    a column of each type: a row of values, a row of NULLs
 *   rows N          N rows of one INT
 *   text N          one NVARCHAR(MAX) of N letters
 *   fail            error 208
 *   fail badly      error 9001, of severity 21
 *   hang            until it is cancelled
 *   hang late       until it is cancelled again: the first time counts for nothing
 *   use X           a change of database
 *   print X         a message
 *   <anything else> no result
 * A statement with parameters answers a row of them, output ones doubled when they are integers. Prepared statements are
 * numbered from 1, up to 9.
 */
#define ENGINE_FAKE_PREPARED_MAX 9

#endif
