/*-------------------------------------------------------------------------
 *
 * api/valid.h
 *	  What a request has to be, whichever way it comes in.
 *
 * The arguments of a SQL function, an item of a batch and a request of the wire
 * protocol are read by functions of their own, because they are written
 * differently.  What they say is checked here.  A check returns false for what is
 * not valid, and says why; the caller reports that as its surface does.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_API_VALID_H
#define RSN_API_VALID_H

#include "engine/request.h"
#include "store/sizes.h"

/*
 * Why something is not valid.  A message is made of the name of the argument and of
 * what is wrong with it, or says that its value is invalid.
 */
typedef struct RsnFlaw
{
	int			sqlstate;
	const char *part;			/* the argument, where several are checked, as
								 * the SQL functions call it */
	const char *problem;		/* follows its name; NULL: its value is
								 * invalid */
	const text *value;			/* that value, or NULL */
	const char *detail;			/* a sentence, or NULL */
	const char *hint;			/* the same */
} RsnFlaw;

extern char *rsn_quote(const char *data, int len);
extern char *rsn_quote_text(const text *value);

extern bool rsn_valid_length(const char *data, int len, int len_max,
							 RsnFlaw *flaw);
extern bool rsn_valid_id(const char *data, int len, int len_max,
						 RsnFlaw *flaw);
extern bool rsn_valid_size(Size size, RsnFlaw *flaw);
extern bool rsn_valid_strings(const JsonbValue *object, RsnFlaw *flaw);
extern bool rsn_valid_written_size(Jsonb *tags, const RsnPayload *payload,
								   RsnFlaw *flaw);

extern bool rsn_valid_traits(RsnCreateRequest *request, RsnFlaw *flaw);
extern bool rsn_valid_to_take(const RsnCreateRequest *request, RsnFlaw *flaw);
extern bool rsn_valid_target(RsnPromiseState state);
extern bool rsn_valid_settlement(RsnSettleRequest *request, RsnFlaw *flaw);
extern bool rsn_valid_awaited(text *const *awaited, int n, text *task_id,
							  RsnFlaw *flaw);
extern bool rsn_valid_in_fence(text *id, text *task_id, RsnFlaw *flaw);
extern bool rsn_valid_schedule(RsnScheduleRow *row, int64 now_ms,
							   RsnFlaw *flaw);

#endif							/* RSN_API_VALID_H */
