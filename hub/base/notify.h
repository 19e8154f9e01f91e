/* notify -- tells systemd how the process is (sd_notify(3)). The protocol is one datagram to
 * $NOTIFY_SOCKET, so no library is needed; without the variable nothing happens. */
#ifndef BELFRY_NOTIFY_H
#define BELFRY_NOTIFY_H

#include "base/clock.h"

void notify_ready(void);
void notify_reloading(void); /* until notify_ready */
void notify_status(const char *text);
void notify_stopping(void);
void notify_watchdog(void);
/* Another process is the service from now on, and ready: the last word of this one. */
void notify_main_pid(int pid);
/* How often notify_watchdog() is due: half of $WATCHDOG_USEC; 0: never. */
Msec notify_interval(void);

#endif
