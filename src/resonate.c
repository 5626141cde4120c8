/*-------------------------------------------------------------------------
 *
 * resonate.c
 *	  Durable promises in PostgreSQL: the library's start.
 *
 * Each folder has a README.md, which says what belongs there and what it includes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "engine/engine.h"
#include "server/fault.h"
#include "server/guc.h"
#include "signal/slot.h"
#include "signal/start.h"
#include "signal/wake.h"
#include "store/store.h"
#include "worker/count.h"
#include "worker/handed.h"
#include "worker/offer.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	rsn_fault_init();			/* before the prefix is reserved */
	rsn_guc_init();
	rsn_shared_init();
	rsn_store_init();
	rsn_wake_init();
	rsn_engine_init();
	rsn_offer_init();
	rsn_handed_init();
	rsn_count_init();
	rsn_start_launcher();
}
