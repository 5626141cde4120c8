/*-------------------------------------------------------------------------
 *
 * worker/settings.h
 *	  What the worker and the launcher do not take from the configuration.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_WORKER_SETTINGS_H
#define RSN_WORKER_SETTINGS_H

/* How long background work waits for any lock: so long that others can commit. */
#define RSN_LOCK_TIMEOUT	"20ms"

extern void rsn_settings_pin(void);
extern void rsn_settings_allow_cancel(void);
extern void rsn_settings_ignore_cancel(void);
extern void rsn_settings_init(void);

#endif							/* RSN_WORKER_SETTINGS_H */
