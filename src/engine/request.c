/*-------------------------------------------------------------------------
 *
 * engine/request.c
 *	  What the engine is asked for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "engine/request.h"

/* Fills in what the tags say. */
void
rsn_request_set_traits(RsnCreateRequest *request, const RsnTraits *traits)
{
	request->rule.is_timer = traits->is_timer;
	request->rule.is_external = traits->is_external;
	request->rule.is_targeted = traits->target != NULL;
	request->target = traits->target;
	request->offer_at_ms = traits->offer_at_ms;
}
