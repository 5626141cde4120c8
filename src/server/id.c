/*-------------------------------------------------------------------------
 *
 * server/id.c
 *	  The order of ids: that of their bytes, as in the collation "C".
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"

#include "server/id.h"

/* Negative, zero or positive, as memcmp; a prefix comes first. */
int
rsn_id_compare(const text *a, const text *b)
{
	int			len_a = VARSIZE_ANY_EXHDR(a);
	int			len_b = VARSIZE_ANY_EXHDR(b);
	int			result = memcmp(VARDATA_ANY(a), VARDATA_ANY(b),
								Min(len_a, len_b));

	return result != 0 ? result : len_a - len_b;
}

bool
rsn_id_equals(const text *a, const text *b)
{
	return rsn_id_compare(a, b) == 0;
}

/* True when the ids are in that order, and none occurs twice. */
bool
rsn_id_is_sorted(text *const *ids, int n)
{
	for (int i = 1; i < n; i++)
	{
		if (rsn_id_compare(ids[i - 1], ids[i]) >= 0)
			return false;
	}
	return true;
}

/* True for one of these ids, which are in that order. */
bool
rsn_id_is_among(text *const *sorted_ids, int n, const text *id)
{
	return n > 0 && bsearch(&id, sorted_ids, n, sizeof(text *),
							rsn_id_compare_pointers) != NULL;
}

/* The same order for qsort of an array of pointers. */
int
rsn_id_compare_pointers(const void *a, const void *b)
{
	return rsn_id_compare(*(text *const *) a, *(text *const *) b);
}
