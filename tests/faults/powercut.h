/* A SQLite VFS that plays power cuts and full disks. It stands before the default one and becomes the process's default.
 *
 * The real files, in a folder that the test names, hold what the running process sees. Beside them a model of the disk is
 * kept: for each file what was synced and the writes since, for the folder which names were synced and the creations and
 * deletions since. At the cut everything fails from then on, and powercut_write_disk() writes what a disk may hold:
 *
 *     synced contents  +  any subset of the unsynced writes, each 512-byte sector of them old or new, in any order
 *     synced names     +  for each name any number of its unsynced creations and deletions, the earliest first
 *
 * Nothing is synced really, so that a test waits for no disk. The shared memory of the WAL index is passed through, as it
 * does not outlive the process. Calls of the product that bypass SQLite (fsync of the folder, unlink, unlinkat) enter by
 * the linker's --wrap: see tests/faults/Makefile.inc.
 *
 * Knows nothing about the product. Safe from several threads, but for powercut_watch() and powercut_write_disk().
 */
#ifndef SHARDGATE_TESTS_POWERCUT_H
#define SHARDGATE_TESTS_POWERCUT_H

#include <stdbool.h>
#include <stdint.h>

#define POWERCUT_SECTOR 512
#define POWERCUT_MAX_NAMES 64 /* files of the folder, at any one time of a run */

/* Registers the VFS. 0, or -1. */
int powercut_install(void) __attribute__((warn_unused_result));

/* Forgets the last disk and begins one whose files are those of `folder`, canonical; what is there is synced. "" for none.
 * All files of the last one must be closed. */
void powercut_watch(const char *folder);

/* Operations (writes, truncations, syncs, creations and deletions) that reached the disk since powercut_watch(). */
uint64_t powercut_operations(void);

/* From now on a sync takes so long, and other threads go on meanwhile. 0 until it is called. */
void powercut_slow_syncs(unsigned microseconds);

/* Cuts the power at the operation of this number, counted from now; 1 is the next. 0 takes that back. */
void powercut_arm(uint64_t operation);
bool powercut_happened(void);

/* The same for a process that is killed: the operation does not happen, nor any after it; the disk goes on. */
void powercut_arm_kill(uint64_t operation);
/* The next process: copies the files, as the last one left them, to `folder` and goes on from there; what was unsynced is
 * so still. All files of the last process must be closed. 0, or -1 with errno. */
int powercut_revive(const char *folder) __attribute__((warn_unused_result));

/* Writes what the disk may hold into `folder`, made when absent. The seed decides. 0, or -1 with errno. */
int powercut_write_disk(const char *folder, uint64_t seed) __attribute__((warn_unused_result));

/* From the given operation on (1 is the next) writes find no space, and leave a part behind; 0: space is back. */
void powercut_fill(uint64_t operation);
/* Writes that found no space since powercut_watch(). */
uint64_t powercut_refusals(void);

/* The sync of this number (1 is the next) fails, once, and what it should have written never reaches the disk. */
void powercut_fail_sync(uint64_t sync);

#endif
