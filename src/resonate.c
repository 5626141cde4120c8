/*-------------------------------------------------------------------------
 *
 * resonate.c
 *	  Durable promises in PostgreSQL: the library's start.
 *
 * From here: api_*.c decode a call, engine*.c locks and decides with
 * core/promise.c, store*.c reads and writes rows, signal/wake.c tells others at commit,
 * and worker/loop.c does in the background what worker/step.c and worker/deliver.c know.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "engine/engine.h"
#include "server/guc.h"
#include "signal/slot.h"
#include "signal/start.h"
#include "signal/wake.h"
#include "store/store.h"
#include "worker/deliver.h"
#include "worker/handed.h"
#include "worker/step.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	rsn_guc_init();
	rsn_shared_init();
	rsn_store_init();
	rsn_wake_init();
	rsn_engine_init();
	rsn_delivery_init();
	rsn_handed_init();
	rsn_background_init();
	rsn_launcher_register();
}
