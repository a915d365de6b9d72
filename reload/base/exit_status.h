#ifndef RPPROXY_RELOAD_BASE_EXIT_STATUS_H
#define RPPROXY_RELOAD_BASE_EXIT_STATUS_H

/* How a process or a command ends; rpproxy(8) has the same for users. */
enum exit_status {
    EXIT_DONE = 0,
    EXIT_OTHER = 1,
    EXIT_INVALID = 2,  /* the configuration */
    EXIT_BIND = 3,     /* an address cannot be bound */
    EXIT_REFUSED = 4,  /* a backend would have no server, or the canary was rolled back */
    EXIT_FAILED = 5,   /* the successor crashed, hung, or could not be started */
    EXIT_WAITING = 6,  /* the time of the command ran out; what it asked for continues */
    EXIT_BUSY = 7,     /* another reload is in progress */
    EXIT_NO_PROXY = 8, /* no process answers on the control socket */
    EXIT_CUT = 9,      /* done, but sessions were closed at the end of the drain */
};

#endif
