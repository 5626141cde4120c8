/*-------------------------------------------------------------------------
 *
 * worker/loop.h
 *	  The background worker of a database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_WORKER_LOOP_H
#define RSN_WORKER_LOOP_H

extern PGDLLEXPORT void resonate_worker_main(Datum main_arg);

#endif							/* RSN_WORKER_LOOP_H */
