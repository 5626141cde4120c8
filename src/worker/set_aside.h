/*-------------------------------------------------------------------------
 *
 * worker/set_aside.h
 *	  What a step leaves out for a while, because it has failed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_WORKER_SET_ASIDE_H
#define RSN_WORKER_SET_ASIDE_H

/* A step that fails for more rows than this has a fault of its own. */
#define RSN_SET_ASIDE_MAX	500

/* Empty when it is zero. */
typedef struct RsnSetAside
{
	text	  **ids;
	int			n;
	int64	   *until_ms;		/* of each of them */
} RsnSetAside;

extern bool rsn_set_aside_add(RsnSetAside *list, const text *id,
							  int64 until_ms);
extern int	rsn_set_aside_release(RsnSetAside *list, int64 now_ms);
extern bool rsn_set_aside_has(const RsnSetAside *list, const text *id);
extern int64 rsn_set_aside_next(const RsnSetAside *list);

#endif							/* RSN_WORKER_SET_ASIDE_H */
