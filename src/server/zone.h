/*-------------------------------------------------------------------------
 *
 * server/zone.h
 *	  The server's time zones, for schedules.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_SERVER_ZONE_H
#define RSN_SERVER_ZONE_H

#include "core/cron_time.h"

extern bool rsn_zone_find(const char *name, RsnZone *zone);

#endif							/* RSN_SERVER_ZONE_H */
