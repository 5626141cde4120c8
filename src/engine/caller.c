/*-------------------------------------------------------------------------
 *
 * engine/caller.c
 *	  For which process this session speaks.
 *
 * Who dequeues names an address, and not the process that it is.  But it has
 * acquired tasks in this session, or sent heartbeats, or dequeued at an address of
 * its own, as the SDKs do.  The last name is kept for as long as the session lives.
 * Where several processes share a session, behind a pooler or a gateway, it may be
 * that of another one: a task is then offered to a process that has just given it
 * back, or not offered until its clock is due, and nothing worse.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "engine/caller.h"
#include "core/address.h"
#include "store/store.h"

static char caller[RSN_PID_MAX];
static int	caller_len = 0;		/* zero: not known */

static void
keep(const char *pid, size_t len)
{
	if (len == 0 || len > RSN_PID_MAX)
		return;
	memcpy(caller, pid, len);
	caller_len = (int) len;
}

/* Notes which process speaks. */
void
rsn_caller_note(const text *pid)
{
	keep(VARDATA_ANY(pid), VARSIZE_ANY_EXHDR(pid));
}

/* The process that dequeues at an address, or NULL if it is not known. */
text *
rsn_caller_at(const text *address)
{
	const char *start = VARDATA_ANY(address);
	size_t		len = VARSIZE_ANY_EXHDR(address);
	size_t		id_len = rsn_address_id_len(start, len);

	Assert(id_len <= len);
	keep(start + len - id_len, id_len);
	return caller_len == 0 ? NULL
		: cstring_to_text_with_len(caller, caller_len);
}
