/*-------------------------------------------------------------------------
 *
 * server/id.h
 *	  The order of ids: that of their bytes, as in the collation "C".
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_SERVER_ID_H
#define RSN_SERVER_ID_H

extern int	rsn_id_compare(const text *a, const text *b);
extern bool rsn_id_equals(const text *a, const text *b);
extern bool rsn_id_is_sorted(text *const *ids, int n);
extern bool rsn_id_is_among(text *const *sorted_ids, int n, const text *id);
extern int	rsn_id_compare_pointers(const void *a, const void *b);

#endif							/* RSN_SERVER_ID_H */
