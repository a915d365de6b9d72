#include "reload/listeners/group.h"

struct steer_range group_pinned(unsigned own)
{
    return (struct steer_range){.first = 0, .count = own};
}

struct steer_range group_handed_over(unsigned old, unsigned own)
{
    return (struct steer_range){.first = old, .count = own};
}

struct steer_range group_shared(unsigned first)
{
    return (struct steer_range){.first = first, .count = 1};
}

unsigned group_sinks(unsigned own)
{
    return own + 1;
}

struct steer_range group_sunk(unsigned own)
{
    return (struct steer_range){.first = own, .count = 1};
}

struct steer_range group_while_closing(unsigned closing, unsigned own)
{
    return (struct steer_range){.first = closing + 1, .count = own - 1};
}

unsigned group_rotation(unsigned rotation, unsigned own, unsigned closed)
{
    return (rotation % own + closed % own) % own;
}

unsigned group_standing(unsigned position, unsigned own, unsigned rotation)
{
    return (position + own - rotation % own) % own;
}

unsigned group_position(unsigned listener, unsigned own, unsigned rotation)
{
    return (listener + rotation) % own;
}

unsigned group_sharers(unsigned place, unsigned cpus, unsigned workers)
{
    return place < workers ? (workers - place - 1) / cpus + 1 : 0;
}
