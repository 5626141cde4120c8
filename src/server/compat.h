/*-------------------------------------------------------------------------
 *
 * server/compat.h
 *	  Every difference between the server versions 15 to 18 that we meet.
 *
 * Include postgres.h first.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_SERVER_COMPAT_H
#define RSN_SERVER_COMPAT_H

#include "access/genam.h"
#include "access/tableam.h"
#include "common/base64.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM < 150000
#error "resonate needs PostgreSQL 15 or later"
#endif

/* What postgres.h has declared before 16. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* Stands before the declaration of a function that does not return. */
#if PG_VERSION_NUM >= 180000
#define rsn_noreturn pg_noreturn
#else
#define rsn_noreturn pg_attribute_noreturn()
#endif

/* The index of this backend in ProcGlobal->allProcs. */
#if PG_VERSION_NUM >= 170000
#define rsn_my_proc_number() ((uint32) MyProcNumber)
#else
#define rsn_my_proc_number() ((uint32) MyProc->pgprocno)
#endif

/* A named wait event for pg_stat_activity, where the server can name it. */
#if PG_VERSION_NUM >= 170000
#define rsn_wait_event_new(name) WaitEventExtensionNew(name)
#else
#define rsn_wait_event_new(name) ((uint32) PG_WAIT_EXTENSION)
#endif

/*
 * What the server waits for when it reads from the client.  Declared here as
 * libpq/libpq.h has it in all these versions, which cannot be included without the
 * headers of the libraries that the server was built with.
 */
extern PGDLLIMPORT WaitEventSet *FeBeWaitSet;
#define RSN_CLIENT_SOCKET_POS	0
#define RSN_CLIENT_LATCH_POS	1
#define RSN_CLIENT_NEVENTS		3

/*
 * The length of transactions can be limited since 17.  One that only exists because
 * something always has to, and has done nothing, need not count.
 */
#if PG_VERSION_NUM >= 170000
#define rsn_pause_transaction_timeout() \
	disable_timeout(TRANSACTION_TIMEOUT, false)
#define rsn_resume_transaction_timeout() \
	(TransactionTimeout > 0 ? \
	 enable_timeout_after(TRANSACTION_TIMEOUT, TransactionTimeout) : (void) 0)
#else
#define rsn_pause_transaction_timeout() ((void) 0)
#define rsn_resume_transaction_timeout() ((void) 0)
#endif

/* Infinite intervals exist since 17. */
#if PG_VERSION_NUM >= 170000
#define rsn_interval_is_noend(interval) INTERVAL_IS_NOEND(interval)
#define rsn_interval_is_nobegin(interval) INTERVAL_IS_NOBEGIN(interval)
#else
#define rsn_interval_is_noend(interval) ((void) (interval), false)
#define rsn_interval_is_nobegin(interval) ((void) (interval), false)
#endif

/* The allocator of the "extra" of a parameter is exported since 16. */
#if PG_VERSION_NUM >= 160000
#define rsn_guc_malloc(size) guc_malloc(LOG, (size))
#else
#define rsn_guc_malloc(size) malloc(size)
#endif

/* Base64 works on uint8 since 18. */
#if PG_VERSION_NUM >= 180000
#define rsn_b64_encode(src, len, dst, dstlen) \
	pg_b64_encode((const uint8 *) (src), (len), (dst), (dstlen))
#define rsn_b64_decode(src, len, dst, dstlen) \
	pg_b64_decode((src), (len), (uint8 *) (dst), (dstlen))
#else
#define rsn_b64_encode(src, len, dst, dstlen) \
	pg_b64_encode((src), (len), (dst), (dstlen))
#define rsn_b64_decode(src, len, dst, dstlen) \
	pg_b64_decode((src), (len), (dst), (dstlen))
#endif

/* Scans can be instrumented since 18. */
#if PG_VERSION_NUM >= 180000
#define rsn_index_beginscan(rel, index, snapshot, nkeys, norderbys) \
	index_beginscan(rel, index, snapshot, NULL, nkeys, norderbys)
#else
#define rsn_index_beginscan(rel, index, snapshot, nkeys, norderbys) \
	index_beginscan(rel, index, snapshot, nkeys, norderbys)
#endif

/*
 * A scan that only asks the index for places.  It needs no table before 18, whose
 * assertions want one.
 */
#if PG_VERSION_NUM >= 180000
#define rsn_index_beginprobe(rel, index, snapshot, nkeys) \
	index_beginscan(rel, index, snapshot, NULL, nkeys, 0)
#else
#define rsn_index_beginprobe(rel, index, snapshot, nkeys) \
	((void) (rel), index_beginscan_bitmap(index, snapshot, nkeys))
#endif

/* The row itself can be left out of the check since 18; ours is not stored yet. */
#if PG_VERSION_NUM >= 180000
#define rsn_check_index_constraints(target, slot, estate, conflict, arbiters) \
	ExecCheckIndexConstraints(target, slot, estate, conflict, \
							  &(slot)->tts_tid, arbiters)
#else
#define rsn_check_index_constraints(target, slot, estate, conflict, arbiters) \
	ExecCheckIndexConstraints(target, slot, estate, conflict, arbiters)
#endif

/* An update can be restricted to summarizing indexes since 16. */
#if PG_VERSION_NUM >= 160000
#define rsn_insert_index_tuples(target, slot, estate, no_dup_err, conflict, \
								arbiters) \
	ExecInsertIndexTuples(target, slot, estate, false, no_dup_err, conflict, \
						  arbiters, false)
#define rsn_update_index_tuples(target, slot, estate, update_indexes) \
	ExecInsertIndexTuples(target, slot, estate, true, false, NULL, NIL, \
						  (update_indexes) == TU_Summarizing)
typedef TU_UpdateIndexes RsnUpdateIndexes;
#else
#define rsn_insert_index_tuples(target, slot, estate, no_dup_err, conflict, \
								arbiters) \
	ExecInsertIndexTuples(target, slot, estate, false, no_dup_err, conflict, \
						  arbiters)
#define rsn_update_index_tuples(target, slot, estate, update_indexes) \
	ExecInsertIndexTuples(target, slot, estate, true, false, NULL, NIL)
typedef bool RsnUpdateIndexes;
#endif

/* A deferrable key counts on demand since 18. */
#if PG_VERSION_NUM >= 180000
#define rsn_primary_key_index(rel) RelationGetPrimaryKeyIndex(rel, false)
#else
#define rsn_primary_key_index(rel) RelationGetPrimaryKeyIndex(rel)
#endif

/* One function checks the privileges on objects of all kinds since 16. */
#if PG_VERSION_NUM >= 160000
#define rsn_function_aclcheck(function_id, user_id) \
	object_aclcheck(ProcedureRelationId, function_id, user_id, ACL_EXECUTE)
#else
#define rsn_function_aclcheck(function_id, user_id) \
	pg_proc_aclcheck(function_id, user_id, ACL_EXECUTE)
#endif

/* Whether deferred triggers run as the role that queued them; they do since 18. */
#define RSN_DEFERRED_TRIGGERS_KEEP_USER (PG_VERSION_NUM >= 180000)

#endif							/* RSN_SERVER_COMPAT_H */
