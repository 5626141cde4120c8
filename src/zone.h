/*-------------------------------------------------------------------------
 *
 * zone.h
 *	  The server's time zones, for schedules.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_ZONE_H
#define RSN_ZONE_H

#include "core/cron.h"

extern bool rsn_zone_find(const char *name, RsnZone *zone);

#endif							/* RSN_ZONE_H */
