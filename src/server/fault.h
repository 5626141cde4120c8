/*-------------------------------------------------------------------------
 *
 * server/fault.h
 *	  Faults on demand, for tests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef RSN_SERVER_FAULT_H
#define RSN_SERVER_FAULT_H

#ifdef USE_ASSERT_CHECKING
extern void rsn_fault_init(void);
extern void rsn_fault_before_write(void);
extern void rsn_fault_after_write(void);
#else
#define rsn_fault_init()			((void) 0)
#define rsn_fault_before_write()	((void) 0)
#define rsn_fault_after_write()		((void) 0)
#endif

#endif							/* RSN_SERVER_FAULT_H */
