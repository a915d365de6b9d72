#include "reload/listeners/sockdiag.h"

#include "proxy/engine/socket.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define STATE_BIT(state) (UINT32_C(1) << (state))

/* Sockets that are bound and neither listen nor are connected; kernels before 6.8 know no such
 * state and ignore the bit. Not in every libc's headers. */
#define STATE_BOUND_INACTIVE 13

#define ATTEMPTS 4

struct diag_socket {
    const struct inet_diag_msg *msg;
    bool v6only;
};

typedef void visitor(const struct diag_socket *socket, void *context);

struct query {
    int family;
    uint32_t states;
    in_port_t port; /* network order; 0: any */
};

static bool same_bytes(const void *a, const void *b, size_t length)
{
    return memcmp(a, b, length) == 0;
}

static in_port_t network_port(const struct address *address)
{
    return address->any.sa_family == AF_INET ? address->in.sin_port : address->in6.sin6_port;
}

static bool is_inet(const struct address *address)
{
    return address->any.sa_family == AF_INET || address->any.sa_family == AF_INET6;
}

static const void *ip_bytes(const struct address *address, size_t *length)
{
    if (address->any.sa_family == AF_INET) {
        *length = sizeof address->in.sin_addr;
        return &address->in.sin_addr;
    }
    *length = sizeof address->in6.sin6_addr;
    return &address->in6.sin6_addr;
}

static bool all_zero(const void *bytes, size_t length)
{
    static const struct in6_addr zero;

    return same_bytes(bytes, &zero, length);
}

/* A listen_address as the kernel tells it. */
struct place {
    const struct address *address;
    bool dual_stack;
    uint32_t device; /* the interface that the socket is bound to, also by a link-local address; 0:
                        none. No socket has UINT32_MAX. */
};

static struct place place_of(const struct listen_address *at)
{
    return (struct place){
        .address = &at->address, .dual_stack = at->dual_stack, .device = listen_address_device(at)};
}

/* A handshake towards the place. It is told with the interface of its listener, and towards a
 * listener of both families in either of them. */
static bool leads_to(const struct inet_diag_msg *msg, const struct place *place)
{
    size_t length;
    const void *ip = ip_bytes(place->address, &length);

    if (msg->id.idiag_sport != network_port(place->address) ||
        (place->device != 0 && msg->id.idiag_if != place->device))
        return false;
    if (msg->idiag_family != place->address->any.sa_family)
        return place->dual_stack;
    return all_zero(ip, length) || same_bytes(msg->id.idiag_src, ip, length);
}

static bool find_v6only(const struct nlmsghdr *header)
{
    const char *attributes = (const char *)header + NLMSG_SPACE(sizeof(struct inet_diag_msg));
    const char *end = (const char *)header + header->nlmsg_len;

    while (end - attributes >= (ptrdiff_t)sizeof(struct rtattr)) {
        struct rtattr attribute;

        memcpy(&attribute, attributes, sizeof attribute);
        if (attribute.rta_len < sizeof attribute || attribute.rta_len > end - attributes)
            break;
        if (attribute.rta_type == INET_DIAG_SKV6ONLY && attribute.rta_len > RTA_LENGTH(0))
            return attributes[RTA_LENGTH(0)] != 0;
        attributes += RTA_ALIGN(attribute.rta_len);
    }
    return false;
}

static int open_netlink(void)
{
    /* The kernel answers at once; the limit is for a kernel that does not. */
    const struct timeval limit = {.tv_sec = 2};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

static int send_query(int fd, const struct query *query)
{
    const struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } message = {
        .header = {.nlmsg_len = sizeof message,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .request = {.sdiag_family = (uint8_t)query->family,
                    .sdiag_protocol = IPPROTO_TCP,
                    .idiag_states = query->states,
                    .id = {.idiag_sport = query->port}},
    };
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t sent;

    do {
        sent = sendto(fd, &message, sizeof message, 0, (const struct sockaddr *)&kernel,
                      sizeof kernel);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? errno : 0;
}

/* One datagram of an answer. Sets *done with its last one. */
static int read_part(const char *part, size_t length, visitor *visit, void *context, bool *done)
{
    while (length >= sizeof(struct nlmsghdr)) {
        const struct nlmsghdr *header = (const void *)part;
        size_t step = NLMSG_ALIGN(header->nlmsg_len);

        if (header->nlmsg_len < sizeof *header || header->nlmsg_len > length)
            return EPROTO;
        if (header->nlmsg_flags & NLM_F_DUMP_INTR)
            return EAGAIN;
        if (header->nlmsg_type == NLMSG_DONE) {
            *done = true;
            return 0;
        }
        if (header->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *failure = (const void *)(part + NLMSG_HDRLEN);

            if (header->nlmsg_len < NLMSG_LENGTH(sizeof *failure) || failure->error >= 0)
                return EPROTO;
            /* ENOENT: the family has no handler, for lack of the inet_diag module. */
            return failure->error == -ENOENT ? EPROTONOSUPPORT : -failure->error;
        }
        if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY) {
            struct diag_socket found = {.msg = (const void *)(part + NLMSG_HDRLEN)};

            if (header->nlmsg_len < NLMSG_LENGTH(sizeof *found.msg))
                return EPROTO;
            found.v6only = find_v6only(header);
            visit(&found, context);
        }
        if (step >= length)
            break;
        part += step;
        length -= step;
    }
    return 0;
}

static int read_answer(int fd, visitor *visit, void *context)
{
    _Alignas(struct nlmsghdr) char part[32768];
    bool done = false;
    int error = 0;

    while (!done && error == 0) {
        ssize_t length = recv(fd, part, sizeof part, MSG_TRUNC);

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            /* ENOBUFS: the kernel dropped a part for lack of memory. */
            return errno == ENOBUFS ? EAGAIN : errno == EAGAIN ? ETIMEDOUT : errno;
        if (length == 0 || (size_t)length > sizeof part)
            return EPROTO;
        error = read_part(part, (size_t)length, visit, context, &done);
    }
    return error;
}

/* Shows every socket that answers the query to visit(). After EAGAIN the answer has holes, and
 * what was visited may not be all. */
static int dump(const struct query *query, visitor *visit, void *context)
{
    int fd = open_netlink();
    int error;

    if (fd < 0)
        return errno;
    error = send_query(fd, query);
    if (error == 0)
        error = read_answer(fd, visit, context);
    close(fd);
    return error;
}

/* A reuseport group: the listeners of one place. */
struct group {
    struct place place;
    size_t *members;
};

struct groups {
    struct group *list; /* ascending */
    size_t count;
};

static int compare_groups(const void *one, const void *another)
{
    const struct place *left = &((const struct group *)one)->place;
    const struct place *right = &((const struct group *)another)->place;
    const struct address *a = left->address, *b = right->address;
    size_t length;
    const void *ip = ip_bytes(a, &length);

    if (a->any.sa_family != b->any.sa_family)
        return a->any.sa_family - b->any.sa_family;
    if (network_port(a) != network_port(b))
        return network_port(a) - network_port(b);
    int order = memcmp(ip, ip_bytes(b, &length), length);
    if (order != 0)
        return order;
    if (left->dual_stack != right->dual_stack)
        return left->dual_stack - right->dual_stack;
    return (left->device > right->device) - (left->device < right->device);
}

static struct address make_address(int family, in_port_t port, const void *ip)
{
    struct address address = {.any.sa_family = (sa_family_t)family};

    if (family == AF_INET) {
        address.length = sizeof address.in;
        address.in.sin_port = port;
        memcpy(&address.in.sin_addr, ip, sizeof address.in.sin_addr);
    } else {
        address.length = sizeof address.in6;
        address.in6.sin6_port = port;
        memcpy(&address.in6.sin6_addr, ip, sizeof address.in6.sin6_addr);
    }
    return address;
}

static void count_member(const struct diag_socket *socket, void *context)
{
    const struct groups *groups = context;
    const struct inet_diag_msg *msg = socket->msg;
    const struct address address =
        make_address(msg->idiag_family, msg->id.idiag_sport, msg->id.idiag_src);
    size_t length;
    const void *ip = ip_bytes(&address, &length);
    /* Elsewhere than on [::] it makes no difference. */
    const bool dual_stack =
        msg->idiag_family == AF_INET6 && all_zero(ip, length) && !socket->v6only;
    const struct group wanted = {
        .place = {.address = &address, .dual_stack = dual_stack, .device = msg->id.idiag_if}};
    const struct group *group;

    group = bsearch(&wanted, groups->list, groups->count, sizeof *groups->list, compare_groups);
    if (group != NULL)
        ++*group->members;
}

static int count_members(struct groups *groups)
{
    int error = 0;

    /* Sorted: those of a family follow each other. */
    for (size_t i = 0, end; i < groups->count && error == 0; i = end) {
        const struct address *first = groups->list[i].place.address;
        struct query query = {.family = first->any.sa_family,
                              .states = STATE_BIT(TCP_LISTEN),
                              .port = network_port(first)};

        for (end = i;
             end < groups->count && groups->list[end].place.address->any.sa_family == query.family;
             end++)
            if (network_port(groups->list[end].place.address) != query.port)
                query.port = 0;
        error = EAGAIN;
        for (int attempt = 0; attempt < ATTEMPTS && error == EAGAIN; attempt++) {
            for (size_t j = i; j < end; j++)
                *groups->list[j].members = 0;
            error = dump(&query, count_member, groups);
        }
    }
    return error;
}

int sockdiag_listeners(const struct listen_address *const list[], size_t count, size_t members[])
{
    struct groups groups = {.list = calloc(count, sizeof *groups.list)};
    int error;

    if (groups.list == NULL)
        return count == 0 ? 0 : ENOMEM;
    for (size_t i = 0; i < count; i++) {
        members[i] = 0;
        if (is_inet(&list[i]->address))
            groups.list[groups.count++] =
                (struct group){.place = place_of(list[i]), .members = &members[i]};
    }
    qsort(groups.list, groups.count, sizeof *groups.list, compare_groups);
    error = count_members(&groups);
    free(groups.list);
    return error;
}

struct holder {
    struct place place;
    const struct known_sockets *known; /* that it is not */
    bool found;
    uint32_t uid;
    uint32_t inode;
    struct address peer; /* AF_UNSPEC: it is not connected */
};

static bool stands_in_the_way(const struct diag_socket *socket, const struct place *place)
{
    const struct inet_diag_msg *msg = socket->msg;
    const struct address *address = place->address;
    size_t length;
    const void *ip = ip_bytes(address, &length);
    size_t size = msg->idiag_family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
    bool wild = all_zero(msg->id.idiag_src, size);

    /* The kernel does not look at the port where it lists bound sockets. */
    if (msg->id.idiag_sport != network_port(address))
        return false;
    /* Sockets of two interfaces are never in each other's way. */
    if (msg->id.idiag_if != 0 && place->device != 0 && msg->id.idiag_if != place->device)
        return false;
    if (msg->idiag_family != address->any.sa_family)
        return msg->idiag_family == AF_INET6 ? wild && !socket->v6only : place->dual_stack;
    return wild || all_zero(ip, length) || same_bytes(msg->id.idiag_src, ip, length);
}

static bool is_known(const struct known_sockets *known, uint32_t inode)
{
    for (size_t i = 0; i < known->count; i++)
        if (known->inodes[i] == inode)
            return true;
    return false;
}

static void find_holder(const struct diag_socket *socket, void *context)
{
    struct holder *holder = context;

    /* No inode: it belongs to no descriptor of a process, and TIME-WAIT hinders no bind. */
    if (holder->found || socket->msg->idiag_inode == 0 ||
        !stands_in_the_way(socket, &holder->place) ||
        is_known(holder->known, socket->msg->idiag_inode))
        return;
    holder->found = true;
    holder->uid = socket->msg->idiag_uid;
    holder->inode = socket->msg->idiag_inode;
    if (socket->msg->id.idiag_dport != 0)
        holder->peer = make_address(socket->msg->idiag_family, socket->msg->id.idiag_dport,
                                    socket->msg->id.idiag_dst);
}

static bool has_descriptor(const char *pid, const char *link)
{
    char path[64];
    DIR *descriptors;
    struct dirent *entry;
    bool found = false;

    (void)snprintf(path, sizeof path, "/proc/%.16s/fd", pid);
    descriptors = opendir(path);
    if (descriptors == NULL)
        return false;
    while (!found && (entry = readdir(descriptors)) != NULL) {
        char target[64];
        ssize_t length = readlinkat(dirfd(descriptors), entry->d_name, target, sizeof target - 1);

        if (length > 0) {
            target[length] = '\0';
            found = strcmp(target, link) == 0;
        }
    }
    closedir(descriptors);
    return found;
}

/* Appends ", process 1234 (nginx)" for the first process that has a descriptor of the socket. */
static void append_process(uint32_t inode, char *text, size_t size)
{
    DIR *processes = opendir("/proc");
    struct dirent *entry;
    char link[32];

    if (processes == NULL)
        return;
    (void)snprintf(link, sizeof link, "socket:[%" PRIu32 "]", inode);
    while ((entry = readdir(processes)) != NULL) {
        char path[64], name[32] = "";
        FILE *file;

        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
            !has_descriptor(entry->d_name, link))
            continue;
        (void)snprintf(path, sizeof path, "/proc/%.16s/comm", entry->d_name);
        file = fopen(path, "re");
        if (file != NULL) {
            if (fgets(name, sizeof name, file) != NULL)
                name[strcspn(name, "\n")] = '\0';
            fclose(file);
        }
        (void)snprintf(text + strlen(text), size - strlen(text), ", process %.16s (%s)",
                       entry->d_name, name);
        break;
    }
    closedir(processes);
}

/* Appends "user www-data (uid 33), process 1234 (nginx)". */
static void append_owner(const struct holder *holder, char *text, size_t size)
{
    struct passwd entry, *user = NULL;
    char buffer[4096];
    size_t length = strlen(text);

    (void)getpwuid_r(holder->uid, &entry, buffer, sizeof buffer, &user);
    if (user != NULL)
        (void)snprintf(text + length, size - length, "user %.64s (uid %" PRIu32 ")", user->pw_name,
                       holder->uid);
    else
        (void)snprintf(text + length, size - length, "uid %" PRIu32, holder->uid);
    append_process(holder->inode, text, size);
}

static void describe(const struct holder *holder, char text[static SOCKDIAG_HOLDER_MAX])
{
    bool connected = holder->peer.any.sa_family != AF_UNSPEC;
    const struct local_ports chosen = socket_local_ports();
    bool outgoing = connected && local_ports_include(&chosen, address_port(holder->place.address));
    char peer[ADDRESS_TEXT_MAX];

    text[0] = '\0';
    if (connected)
        (void)snprintf(text, SOCKDIAG_HOLDER_MAX, "%s %.64s of ",
                       outgoing ? "an outgoing connection to" : "a connection with",
                       address_format(&holder->peer, peer));
    append_owner(holder, text, SOCKDIAG_HOLDER_MAX);
    if (outgoing)
        (void)snprintf(text + strlen(text), SOCKDIAG_HOLDER_MAX - strlen(text),
                       "; the kernel chose that local port (net.ipv4.ip_local_reserved_ports keeps "
                       "ports free)");
}

/* Looks for a socket in one of these states. ENOENT: there is none. */
static int look_for(struct holder *holder, uint32_t states)
{
    /* A socket of IPv6 may be for both. */
    const int families[] = {AF_INET6, AF_INET};
    const struct place *place = &holder->place;
    size_t count = place->address->any.sa_family == AF_INET6 && !place->dual_stack ? 1 : 2;

    while (count-- > 0 && !holder->found) {
        const struct query query = {
            .family = families[count], .states = states, .port = network_port(place->address)};
        int error = dump(&query, find_holder, holder);

        if (error != 0 && error != EAGAIN && !holder->found)
            return error;
    }
    return holder->found ? 0 : ENOENT;
}

int sockdiag_strangers(const struct listen_address *at, const struct known_sockets *known)
{
    struct holder holder = {.place = place_of(at), .known = known};
    int error = look_for(&holder, STATE_BIT(TCP_LISTEN));

    return error == 0 ? EADDRINUSE : error == ENOENT ? 0 : error;
}

int sockdiag_holder(const struct listen_address *at, const struct known_sockets *known,
                    char text[static SOCKDIAG_HOLDER_MAX], bool *is_connection)
{
    /* Listeners first; then what else may hold a port, a client's connection among it. */
    const uint32_t states[] = {STATE_BIT(TCP_LISTEN) | STATE_BIT(STATE_BOUND_INACTIVE),
                               ~STATE_BIT(TCP_LISTEN)};
    struct holder holder = {.place = place_of(at), .known = known};
    int error = ENOENT;

    if (!is_inet(&at->address))
        return EAFNOSUPPORT;
    for (size_t i = 0; i < 2 && error == ENOENT; i++)
        error = look_for(&holder, states[i]);
    if (error != 0)
        return error;
    *is_connection = holder.peer.any.sa_family != AF_UNSPEC;
    describe(&holder, text);
    return 0;
}

/* The kernel gives every handshake a number of its own, the socket cookie, which no other socket
 * of the network namespace will have: it tells this handshake from a later one with the same
 * addresses and ports. */
struct handshakes {
    uint64_t *cookies; /* ascending from 0 to sorted; those not seen before follow */
    bool *seen;        /* as many */
    size_t sorted;
    size_t count;
    size_t capacity;
    bool more; /* than HANDSHAKES_MAX */
    bool any;  /* handshakes at all were in the last answers, ours or not */
    bool out_of_memory;
    in_port_t port; /* of all places, or 0 when they differ */
    size_t place_count;
    struct handshake_place {
        struct address address;
        struct place place; /* of this address */
    } places[];
};

static int compare_cookies(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static uint64_t cookie_of(const struct inet_diag_msg *msg)
{
    return (uint64_t)msg->id.idiag_cookie[1] << 32 | msg->id.idiag_cookie[0];
}

static bool concerns(const struct handshakes *handshakes, const struct inet_diag_msg *msg)
{
    for (size_t i = 0; i < handshakes->place_count; i++)
        if (leads_to(msg, &handshakes->places[i].place))
            return true;
    return false;
}

static uint64_t *find_cookie(const struct handshakes *handshakes, uint64_t cookie)
{
    return handshakes->sorted == 0 ? NULL
                                   : bsearch(&cookie, handshakes->cookies, handshakes->sorted,
                                             sizeof cookie, compare_cookies);
}

static bool grow(struct handshakes *handshakes)
{
    size_t capacity = handshakes->capacity == 0 ? 256 : handshakes->capacity * 2;
    uint64_t *cookies = realloc(handshakes->cookies, capacity * sizeof *cookies);

    if (cookies == NULL)
        return false;
    handshakes->cookies = cookies;
    handshakes->capacity = capacity;
    return true;
}

static void remember(const struct diag_socket *socket, void *context)
{
    struct handshakes *handshakes = context;
    uint64_t cookie = cookie_of(socket->msg);

    handshakes->any = true;
    if (!concerns(handshakes, socket->msg) || find_cookie(handshakes, cookie) != NULL)
        return;
    if (handshakes->count == HANDSHAKES_MAX)
        handshakes->more = true;
    else if (handshakes->count == handshakes->capacity && !grow(handshakes))
        handshakes->out_of_memory = true;
    else
        handshakes->cookies[handshakes->count++] = cookie;
}

static void mark_seen(const struct diag_socket *socket, void *context)
{
    struct handshakes *handshakes = context;
    uint64_t *cookie = find_cookie(handshakes, cookie_of(socket->msg));

    if (cookie != NULL)
        handshakes->seen[cookie - handshakes->cookies] = true;
}

static void sort(struct handshakes *handshakes)
{
    size_t kept = 0;

    if (handshakes->count > handshakes->sorted)
        qsort(handshakes->cookies, handshakes->count, sizeof *handshakes->cookies, compare_cookies);
    for (size_t i = 0; i < handshakes->count; i++)
        if (kept == 0 || handshakes->cookies[i] != handshakes->cookies[kept - 1])
            handshakes->cookies[kept++] = handshakes->cookies[i];
    handshakes->count = handshakes->sorted = kept;
}

/* Visits all handshakes towards the addresses. Both visitors only add to what they know, so an
 * answer with holes is made good by asking once more. */
static int dump_handshakes(struct handshakes *handshakes, visitor *visit)
{
    static const int families[] = {AF_INET, AF_INET6};

    for (size_t f = 0; f < 2; f++) {
        const struct query query = {
            .family = families[f], .states = STATE_BIT(TCP_SYN_RECV), .port = handshakes->port};
        bool wanted = false;
        int error = EAGAIN;

        for (size_t i = 0; i < handshakes->place_count; i++)
            wanted |= handshakes->places[i].address.any.sa_family == families[f] ||
                      handshakes->places[i].place.dual_stack;
        for (int i = 0; wanted && i < ATTEMPTS && error == EAGAIN; i++)
            error = dump(&query, visit, handshakes);
        if (wanted && error != 0)
            return error;
    }
    return 0;
}

int handshakes_take(const struct listen_address *list, size_t count, struct handshakes **result)
{
    struct handshakes *handshakes =
        calloc(1, sizeof *handshakes + count * sizeof *handshakes->places);
    int error = 0;

    if (handshakes == NULL)
        return ENOMEM;
    for (size_t i = 0; i < count; i++) {
        in_port_t port;
        struct handshake_place *own;

        if (!is_inet(&list[i].address))
            continue;
        port = network_port(&list[i].address);
        if (handshakes->place_count == 0)
            handshakes->port = port;
        else if (handshakes->port != port)
            handshakes->port = 0;
        own = &handshakes->places[handshakes->place_count++];
        own->address = list[i].address;
        own->place = place_of(&list[i]);
        own->place.address = &own->address;
    }
    /* Twice, because the kernel resumes a long answer by the position in a hash chain, and passes
     * over one socket when an earlier one of the chain has gone meanwhile. An answer with no socket
     * in it was not interrupted. */
    for (int i = 0; i < 2 && error == 0; i++) {
        handshakes->any = false;
        error = dump_handshakes(handshakes, remember);
        sort(handshakes);
        if (!handshakes->any)
            break;
    }
    if (error == 0 && handshakes->out_of_memory)
        error = ENOMEM;
    if (error == 0 && handshakes->count > 0) {
        handshakes->seen = malloc(handshakes->count * sizeof *handshakes->seen);
        error = handshakes->seen == NULL ? ENOMEM : 0;
    }
    if (error != 0) {
        handshakes_free(handshakes);
        return error;
    }
    *result = handshakes;
    return 0;
}

static bool all_seen(const struct handshakes *handshakes)
{
    for (size_t i = 0; i < handshakes->count; i++)
        if (!handshakes->seen[i])
            return false;
    return true;
}

size_t handshakes_seen(const struct handshakes *handshakes)
{
    return handshakes->count + (handshakes->more ? 1 : 0);
}

int handshakes_left(struct handshakes *handshakes, size_t *left)
{
    size_t kept = 0;

    for (size_t i = 0; i < handshakes->count; i++)
        handshakes->seen[i] = false;
    /* One is gone when two answers in a row miss it, for the reason given above. */
    for (int i = 0; i < 2 && !all_seen(handshakes); i++) {
        int error = dump_handshakes(handshakes, mark_seen);

        if (error != 0)
            return error;
    }
    for (size_t i = 0; i < handshakes->count; i++)
        if (handshakes->seen[i])
            handshakes->cookies[kept++] = handshakes->cookies[i];
    handshakes->count = handshakes->sorted = kept;
    *left = handshakes_seen(handshakes);
    return 0;
}

void handshakes_free(struct handshakes *handshakes)
{
    if (handshakes == NULL)
        return;
    free(handshakes->cookies);
    free(handshakes->seen);
    free(handshakes);
}
