/* What a request is told that meets shards which are not alike: which of them, in what, and that GET /verify shows all of it.
 *
 * A worker whose table is not what the master routed by says schema_changed, which is no word of the public API's. After a fresh
 * description it means that the shard has another table than the one that was described.
 */
#ifndef SHARDGATE_DRIFT_H
#define SHARDGATE_DRIFT_H

#include "fcgi-master/exchange.h"

/* Gives the parts of the round that failed because of drift an error that says so: schema_changed becomes bad_worker_answer with the first
 * difference from `routed_by`; a missing table or database keeps its code where x->describer has it. The answers of the round stay. */
void drift_explain(struct exchange *x, const struct table *routed_by);

#endif
