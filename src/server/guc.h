/*-------------------------------------------------------------------------
 *
 * server/guc.h
 *	  Configuration parameters.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_SERVER_GUC_H
#define RSN_SERVER_GUC_H

typedef enum RsnNotifyPayload
{
	RSN_NOTIFY_STATE,
	RSN_NOTIFY_RECORD
} RsnNotifyPayload;

typedef enum RsnProfile
{
	RSN_PROFILE_SDK,
	RSN_PROFILE_STRICT
} RsnProfile;

/* A record at its limit and a branch fit a jsonb together, which has 256 MB. */
#define RSN_PAGE_BYTES_MAX		(64 * 1024 * 1024)
#define RSN_BRANCH_BYTES_MAX	(32 * 1024 * 1024)

extern int	rsn_guc_branch_bytes;
extern int	rsn_guc_branch_limit;
extern bool rsn_guc_debug;
extern int	rsn_guc_default_timeout_ms;
extern int	rsn_guc_delivered_retention_s;
extern int	rsn_guc_delivery_batch_size;
extern int	rsn_guc_notify_payload;
extern int	rsn_guc_page_bytes;
extern int	rsn_guc_profile;
extern int	rsn_guc_prune_batch_size;
extern int	rsn_guc_retention_s;
extern double rsn_guc_retry_backoff;
extern int	rsn_guc_retry_interval_ms;
extern int	rsn_guc_retry_timeout_ms;
extern int	rsn_guc_retry_timeout_max_ms;
extern int	rsn_guc_schedule_batch_size;
extern int	rsn_guc_schedule_grace_ms;
extern int	rsn_guc_sweep_batch_size;
extern int64 rsn_guc_test_clock_ms;
extern int	rsn_guc_undelivered_retention_s;
extern int	rsn_guc_visibility_timeout_ms;
extern bool rsn_guc_worker;
extern bool rsn_guc_worker_configured;	/* see worker/switch.c */

extern void rsn_guc_init(void);

#endif							/* RSN_SERVER_GUC_H */
