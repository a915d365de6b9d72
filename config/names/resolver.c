#include "config/names/resolver.h"

#include "config/base/clock.h"
#include "config/names/dns.h"
#include "config/names/search.h"

#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/stat.h>

#define RESOLV_CONF "/etc/resolv.conf"

/* A packet of EDNS that no network cuts up (dnsflagday.net, 2020). */
#define PACKET_BYTES 1232
/* Each name server is tried so often; the time for a try doubles with each round, so that the
 * first name server of several may be silent, and `timeout` still suffices. */
#define TRIES     3
#define TRY_PARTS 6
/* How long an entry of /etc/hosts counts, in seconds: reading it again is cheap. */
#define HOSTS_TTL 5
/* For addresses of SRV targets; the rest of the targets is left out. */
#define TARGETS_MOST 256
#define CONF_LOOK_MS 1000

/* One packet to a name server, and its answer. */
struct query {
    struct question *question;
    unsigned type; /* DNS_... */
    size_t target; /* in question->targets: what the name is */
    bool sent;
    TAILQ_ENTRY(query) link; /* in resolver->waiting, or ->sent */
};

/* A name whose addresses are asked for: the name of the question, or an SRV record's target. */
struct target {
    char name[DNS_NAME_MAX];
    in_port_t port; /* network byte order */
    uint16_t priority, weight;
};

struct question {
    struct resolver *resolver;
    enum question_kind kind;
    char name[DNS_NAME_MAX + 1]; /* as it was written */
    size_t candidate;            /* of search_name(): what is being asked for */
    bool service_known;          /* the targets are those of SRV records */
    struct target *targets;
    size_t target_count;
    in_port_t port;
    unsigned open;                 /* queries without an answer, ... */
    unsigned open_ipv4, open_ipv6; /* ... and of these the ones for addresses */
    enum resolve_family family;
    bool no_data;               /* a candidate exists, without what is asked for */
    enum answer_status failure; /* of a query; ANSWER_OK: none has failed */
    uint32_t ttl;               /* the least of what was found; UINT32_MAX: nothing */
    uint32_t negative_ttl;      /* the least of what was not there; UINT32_MAX: not known */
    struct answer answer;
    size_t capacity; /* of its items */
    bool begun, ended;
    struct event deadline;
    question_answered *answered; /* NULL: it has been called */
    void *arg;
    TAILQ_ENTRY(question) link; /* in resolver->questions, or ->ended */
};

/* A socket of c-ares. */
struct watch {
    struct resolver *resolver;
    ares_socket_t fd;
    struct event event;
    LIST_ENTRY(watch) link;
};

TAILQ_HEAD(query_list, query);
TAILQ_HEAD(question_list, question);

struct resolver {
    struct event_base *base;
    const struct resolver_conf *conf;
    ares_channel channel;
    char **domains; /* of resolv.conf */
    int domain_count;
    unsigned ndots;
    struct stat conf_file; /* as it was when it was read; zeros: there was none */
    uint64_t looked_at;
    bool closing;
    unsigned sent_count;
    struct query_list waiting, sent;
    struct question_list questions, ended;
    LIST_HEAD(, watch) watches;
    struct event pump;  /* to do what must not be done in a callback of c-ares */
    struct event timer; /* of c-ares */
};

unsigned resolver_descriptors(const struct resolver_conf *conf)
{
    /* resolv.conf is read up to the end; more than RESOLVERS_MOST are not of use to anybody. A
     * server may have a socket for UDP and one for TCP. */
    return 2 * (conf->server_count ? conf->server_count : RESOLVERS_MOST) + 1;
}

static bool is_system(const struct resolver *resolver)
{
    return resolver->conf->server_count == 0;
}

static void wake(struct resolver *resolver)
{
    event_active(&resolver->pump, EV_TIMEOUT, 0);
}

/* --- c-ares on the loop -------------------------------------------------------------------- */

static void plan_timer(struct resolver *resolver)
{
    struct timeval most = {.tv_sec = 60}, left;
    if (resolver->sent_count == 0)
        event_del(&resolver->timer);
    else
        event_add(&resolver->timer, ares_timeout(resolver->channel, &most, &left));
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct watch *watch = arg;
    struct resolver *resolver = watch->resolver;
    ares_process_fd(resolver->channel, what & EV_READ ? fd : ARES_SOCKET_BAD,
                    what & EV_WRITE ? fd : ARES_SOCKET_BAD);
    wake(resolver); /* the watch may be gone */
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct resolver *resolver = arg;
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    wake(resolver);
}

static struct watch *find_watch(const struct resolver *resolver, ares_socket_t fd)
{
    struct watch *watch;
    LIST_FOREACH (watch, &resolver->watches, link)
        if (watch->fd == fd)
            return watch;
    return NULL;
}

static void end_watch(struct watch *watch)
{
    event_del(&watch->event);
    LIST_REMOVE(watch, link);
    free(watch);
}

/* c-ares wants to hear of a socket, or (both false) is about to close it. Without memory its own
 * timeout is what is left. */
static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct resolver *resolver = arg;
    struct watch *watch = find_watch(resolver, fd);
    if (watch)
        event_del(&watch->event);
    if (!readable && !writable) {
        if (watch)
            end_watch(watch);
        return;
    }
    if (!watch) {
        watch = calloc(1, sizeof *watch);
        if (!watch)
            return;
        watch->resolver = resolver;
        watch->fd = fd;
        LIST_INSERT_HEAD(&resolver->watches, watch, link);
    }
    short wanted = (short)(EV_PERSIST | (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
    event_assign(&watch->event, resolver->base, fd, wanted, on_socket, watch);
    event_add(&watch->event, NULL);
}

static void forget_domains(struct resolver *resolver)
{
    for (int i = 0; i < resolver->domain_count; i++)
        free(resolver->domains[i]);
    free(resolver->domains);
    resolver->domains = NULL;
    resolver->domain_count = 0;
}

/* What c-ares has read in resolv.conf. */
static void learn_domains(struct resolver *resolver)
{
    struct ares_options options;
    int mask;
    forget_domains(resolver);
    resolver->ndots = 1;
    memset(&options, 0, sizeof options);
    if (!is_system(resolver) || ares_save_options(resolver->channel, &options, &mask))
        return;
    resolver->ndots = options.ndots >= 0 ? (unsigned)options.ndots : 1;
    size_t count = options.ndomains > 0 ? (size_t)options.ndomains : 0;
    resolver->domains = calloc(count + 1, sizeof *resolver->domains);
    for (size_t i = 0; resolver->domains && i < count; i++) {
        resolver->domains[i] = strdup(options.domains[i]);
        if (!resolver->domains[i])
            break;
        resolver->domain_count++;
    }
    ares_destroy_options(&options);
}

/* Makes the nodes that ares_set_servers_ports() copies. */
static int set_servers(ares_channel channel, const struct resolver_conf *conf)
{
    struct ares_addr_port_node nodes[RESOLVERS_MOST];
    memset(nodes, 0, sizeof nodes);
    for (unsigned i = 0; i < conf->server_count; i++) {
        const struct address *server = &conf->servers[i];
        nodes[i].next = i + 1 < conf->server_count ? &nodes[i + 1] : NULL;
        nodes[i].family = server->any.sa_family;
        nodes[i].udp_port = nodes[i].tcp_port = (int)address_port(server);
        if (nodes[i].family == AF_INET)
            nodes[i].addr.addr4 = server->in.sin_addr;
        else
            memcpy(&nodes[i].addr.addr6, &server->in6.sin6_addr, sizeof nodes[i].addr.addr6);
    }
    return ares_set_servers_ports(channel, nodes);
}

/* Returns 0 or an errno value. */
static int open_channel(struct resolver *resolver)
{
    uint64_t try = (resolver->conf->timeout + TRY_PARTS - 1) / TRY_PARTS;
    struct ares_options options = {
        /* An alias is resolved by the answer itself; a name server is asked by UDP first. */
        .flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
        .timeout = (int)try,
        .tries = TRIES,
        .ednspsz = PACKET_BYTES,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = resolver};
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
               ARES_OPT_SOCK_STATE_CB;
    ares_channel channel;
    int status = ares_init_options(&channel, &options, mask);
    if (status == ARES_SUCCESS && !is_system(resolver)) {
        status = set_servers(channel, resolver->conf);
        if (status)
            ares_destroy(channel);
    }
    if (status)
        return status == ARES_EFILE ? EIO : ENOMEM;
    resolver->channel = channel;
    learn_domains(resolver);
    return 0;
}

/* Reads resolv.conf again if it is another one. What is under way is asked for anew: its name
 * servers may not be there any more. */
static void look_at_conf(struct resolver *resolver)
{
    struct stat now;
    uint64_t time = clock_ms();
    if (!is_system(resolver) || time < resolver->looked_at + CONF_LOOK_MS)
        return;
    resolver->looked_at = time;
    if (stat(RESOLV_CONF, &now))
        memset(&now, 0, sizeof now);
    const struct stat *before = &resolver->conf_file;
    if (now.st_ino == before->st_ino && now.st_size == before->st_size &&
        now.st_mtim.tv_sec == before->st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == before->st_mtim.tv_nsec)
        return;
    ares_channel channel = resolver->channel;
    if (open_channel(resolver))
        return;
    resolver->conf_file = now;
    ares_destroy(channel); /* on_reply() puts the queries back into the queue */
}

/* --- answers ------------------------------------------------------------------------------- */

static void end(struct question *question, enum answer_status status)
{
    struct resolver *resolver = question->resolver;
    if (question->ended)
        return;
    uint32_t ttl = status == ANSWER_OK ? question->ttl : question->negative_ttl;
    question->ended = true;
    question->answer.status = status;
    question->answer.ttl = ttl == UINT32_MAX ? 0 : ttl;
    if (status != ANSWER_OK)
        question->answer.count = 0;
    event_del(&question->deadline);
    TAILQ_REMOVE(&resolver->questions, question, link);
    TAILQ_INSERT_TAIL(&resolver->ended, question, link);
    wake(resolver);
}

/* There was no answer to a query of this type. */
static void note_unknown(struct question *question, unsigned type)
{
    question->answer.ipv4_unknown |= type == DNS_A || type == DNS_SRV;
    question->answer.ipv6_unknown |= type == DNS_AAAA || type == DNS_SRV;
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct question *question = arg;
    question->answer.ipv4_unknown |= question->open_ipv4 > 0;
    question->answer.ipv6_unknown |= question->open_ipv6 > 0;
    if (question->answer.count > 0)
        end(question, ANSWER_OK);
    else
        end(question, question->failure != ANSWER_OK ? question->failure : ANSWER_TIMEOUT);
}

static bool add_item(struct question *question, const struct address *address,
                     const struct target *target)
{
    struct answer *answer = &question->answer;
    if (answer->count == ANSWER_ITEMS_MOST)
        return false;
    if (answer->count == question->capacity) {
        size_t capacity = question->capacity ? 2 * question->capacity : 8;
        struct answer_item *items = realloc(answer->items, capacity * sizeof *items);
        if (!items) {
            question->failure = ANSWER_NO_MEMORY;
            return false;
        }
        answer->items = items;
        question->capacity = capacity;
    }
    answer->items[answer->count++] = (struct answer_item){
        .address = *address, .priority = target->priority, .weight = target->weight};
    return true;
}

static struct address make_address(int family, const void *bytes, in_port_t port)
{
    struct address address;
    memset(&address, 0, sizeof address);
    if (family == AF_INET) {
        address.length = sizeof address.in;
        address.in.sin_family = AF_INET;
        address.in.sin_port = port;
        memcpy(&address.in.sin_addr, bytes, 4);
    } else {
        address.length = sizeof address.in6;
        address.in6.sin6_family = AF_INET6;
        address.in6.sin6_port = port;
        memcpy(&address.in6.sin6_addr, bytes, 16);
    }
    address_unmap(&address);
    return address;
}

/* For dns_read(). */
struct reading {
    struct question *question;
    const struct target *target;
    unsigned type;
};

static bool on_address(const struct dns_record *record, void *arg)
{
    const struct reading *reading = arg;
    int family = reading->type == DNS_A ? AF_INET : AF_INET6;
    const struct address address = make_address(family, record->address, reading->target->port);
    return add_item(reading->question, &address, reading->target);
}

static bool on_service(const struct dns_record *record, void *arg)
{
    struct question *question = ((const struct reading *)arg)->question;
    if (question->target_count == TARGETS_MOST || record->port == 0 || !record->target[0])
        return true;
    struct target *target = &question->targets[question->target_count++];
    *target = (struct target){
        .port = htons(record->port), .priority = record->priority, .weight = record->weight};
    snprintf(target->name, sizeof target->name, "%s", record->target);
    return true;
}

/* ARES_ETIMEOUT before the deadline: a try was without an answer, and others failed. Without any
 * answer the tries take longer than `timeout` (TRY_PARTS). */
static enum answer_status status_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return ANSWER_OK;
    case ARES_ENOTFOUND:
        return ANSWER_NO_NAME;
    case ARES_ENODATA:
        return ANSWER_NO_DATA;
    case ARES_ENOMEM:
        return ANSWER_NO_MEMORY;
    default:
        return ANSWER_FAILED;
    }
}

/* Takes from the message what it has. */
static enum answer_status read_reply(const struct query *query, int status,
                                     const unsigned char *message, int length)
{
    struct question *question = query->question;
    const struct reading reading = {question, &question->targets[query->target], query->type};
    enum answer_status result = status_of(status);
    struct dns_answer answer;
    if (!message || (result != ANSWER_OK && !answer_is_negative(result)))
        return result;
    if (!dns_read(message, (size_t)length, query->type,
                  query->type == DNS_SRV ? on_service : on_address, (void *)(uintptr_t)&reading,
                  &answer))
        return result == ANSWER_OK ? ANSWER_FAILED : result;
    uint32_t *ttl = answer.count > 0 ? &question->ttl : &question->negative_ttl;
    if (answer.ttl < *ttl)
        *ttl = answer.ttl;
    return result == ANSWER_OK && answer.count == 0 ? ANSWER_NO_DATA : result;
}

static bool add_query(struct question *question, unsigned type, size_t target)
{
    struct query *query = calloc(1, sizeof *query);
    if (!query) {
        question->failure = ANSWER_NO_MEMORY;
        return false;
    }
    query->question = question;
    query->type = type;
    query->target = target;
    question->open++;
    question->open_ipv4 += type == DNS_A;
    question->open_ipv6 += type == DNS_AAAA;
    TAILQ_INSERT_TAIL(&question->resolver->waiting, query, link);
    return true;
}

/* --- from a name to its addresses ---------------------------------------------------------- */

static bool is_wanted(const struct question *question, int family)
{
    return question->family == RESOLVE_ANY ||
           (question->family == RESOLVE_IPV4) == (family == AF_INET);
}

/* Adds what /etc/hosts has, or what is known of "localhost". */
static bool find_here(struct question *question, const char *name)
{
    const struct target *target = &question->targets[0];
    static const int families[] = {AF_INET6, AF_INET};
    const struct in6_addr six = IN6ADDR_LOOPBACK_INIT;
    const struct in_addr four = {htonl(INADDR_LOOPBACK)};
    size_t before = question->answer.count, length = strlen(name);
    for (size_t i = 0; is_system(question->resolver) && i < 2; i++) {
        struct hostent *found;
        if (!is_wanted(question, families[i]))
            continue;
        if (ares_gethostbyname_file(question->resolver->channel, name, families[i], &found))
            continue;
        for (char **at = found->h_addr_list; *at && found->h_addrtype == families[i]; at++) {
            const struct address address = make_address(families[i], *at, target->port);
            add_item(question, &address, target);
        }
        ares_free_hostent(found);
    }
    bool local = strcasecmp(name, "localhost") == 0 ||
                 (length > 10 && strcasecmp(name + length - 10, ".localhost") == 0);
    if (question->answer.count == before && local)
        for (size_t i = 0; i < 2; i++) {
            if (!is_wanted(question, families[i]))
                continue;
            const void *bytes = families[i] == AF_INET ? (const void *)&four : &six;
            const struct address address = make_address(families[i], bytes, target->port);
            add_item(question, &address, target);
        }
    if (question->answer.count == before)
        return false;
    question->ttl = HOSTS_TTL;
    return true;
}

static bool name_candidate(const struct question *question, size_t n, char name[DNS_NAME_MAX])
{
    const struct resolver *resolver = question->resolver;
    return search_name(question->name, resolver->domains, (size_t)resolver->domain_count,
                       resolver->ndots, n, name);
}

/* False: out of memory. */
static bool ask_addresses(struct question *question, size_t target)
{
    return (question->family == RESOLVE_IPV6 || add_query(question, DNS_A, target)) &&
           (question->family == RESOLVE_IPV4 || add_query(question, DNS_AAAA, target));
}

/* Puts the queries for the present candidate into the queue. */
static void ask_candidate(struct question *question)
{
    char name[DNS_NAME_MAX];
    if (!name_candidate(question, question->candidate, name)) {
        end(question, question->no_data ? ANSWER_NO_DATA : ANSWER_NO_NAME);
        return;
    }
    snprintf(question->targets[0].name, sizeof question->targets[0].name, "%s", name);
    if (question->kind == QUESTION_SERVICE) {
        add_query(question, DNS_SRV, 0);
    } else if (!ask_addresses(question, 0)) {
        question->failure = ANSWER_NO_MEMORY;
    }
    if (question->open == 0)
        end(question, ANSWER_NO_MEMORY);
    wake(question->resolver);
}

/* The SRV records are known; targets[0], which had their name, is overwritten by the first. */
static void ask_targets(struct question *question)
{
    for (size_t i = 0; i < question->target_count; i++)
        if (!ask_addresses(question, i))
            break;
    wake(question->resolver);
}

/* All queries have been answered. */
static void conclude(struct question *question)
{
    bool found = question->answer.count > 0;
    if (question->failure != ANSWER_OK) {
        end(question, found ? ANSWER_OK : question->failure);
    } else if (found) {
        end(question, ANSWER_OK);
    } else if (question->service_known) {
        end(question, ANSWER_NO_DATA);
    } else {
        question->candidate++;
        ask_candidate(question);
    }
}

static void free_question(struct question *question)
{
    free(question->targets);
    free(question->answer.items);
    free(question);
}

/* A question is freed when it has ended, and none of its queries is left with c-ares. */
static void release(struct question *question)
{
    struct resolver *resolver = question->resolver;
    if (!question->ended || question->answered || question->open > 0)
        return;
    TAILQ_REMOVE(&resolver->ended, question, link);
    free_question(question);
}

static void drop_query(struct query *query)
{
    struct question *question = query->question;
    question->open--;
    question->open_ipv4 -= query->type == DNS_A;
    question->open_ipv6 -= query->type == DNS_AAAA;
    free(query);
}

static void take_reply(struct query *query, int status, const unsigned char *message, int length)
{
    struct question *question = query->question;
    unsigned type = query->type;
    bool service = type == DNS_SRV;
    if (service)
        question->target_count = 0;
    enum answer_status result = read_reply(query, status, message, length);
    drop_query(query);
    if (answer_is_negative(result))
        question->no_data |= result == ANSWER_NO_DATA;
    else if (result != ANSWER_OK) {
        question->failure = result;
        note_unknown(question, type);
    }
    if (service && result == ANSWER_OK) {
        question->service_known = true;
        ask_targets(question);
    }
    if (question->open == 0)
        conclude(question);
}

static void on_reply(void *arg, int status, int timeouts, unsigned char *message, int length)
{
    (void)timeouts;
    struct query *query = arg;
    struct question *question = query->question;
    struct resolver *resolver = question->resolver;
    TAILQ_REMOVE(&resolver->sent, query, link);
    resolver->sent_count--;
    if (question->ended || resolver->closing) {
        drop_query(query);
        wake(resolver); /* it may be the last thing that kept the question */
    } else if (status == ARES_EDESTRUCTION) {
        query->sent = false;
        TAILQ_INSERT_HEAD(&resolver->waiting, query, link);
        wake(resolver);
    } else {
        take_reply(query, status, message, length);
    }
}

/* --- the queue ----------------------------------------------------------------------------- */

static void begin_deadline(struct question *question)
{
    const struct timeval most = clock_interval(question->resolver->conf->timeout);
    if (!evtimer_pending(&question->deadline, NULL))
        event_add(&question->deadline, &most);
}

static void send_waiting(struct resolver *resolver)
{
    struct query *query;
    while (resolver->sent_count < RESOLVER_QUERIES_MOST &&
           (query = TAILQ_FIRST(&resolver->waiting))) {
        TAILQ_REMOVE(&resolver->waiting, query, link);
        struct question *question = query->question;
        if (question->ended) {
            drop_query(query);
            continue;
        }
        begin_deadline(question);
        query->sent = true;
        TAILQ_INSERT_TAIL(&resolver->sent, query, link);
        resolver->sent_count++;
        /* Class IN. on_reply() may be called from within. */
        ares_query(resolver->channel, question->targets[query->target].name, 1, (int)query->type,
                   on_reply, query);
    }
}

static void begin_questions(struct resolver *resolver)
{
    struct question *question, *next;
    for (question = TAILQ_FIRST(&resolver->questions); question; question = next) {
        next = TAILQ_NEXT(question, link);
        char name[DNS_NAME_MAX];
        if (question->begun)
            continue;
        question->begun = true;
        for (size_t i = 0; question->kind == QUESTION_ADDRESSES && !question->ended &&
                           name_candidate(question, i, name);
             i++)
            if (find_here(question, name))
                end(question, ANSWER_OK);
        if (!question->ended)
            ask_candidate(question);
    }
}

/* Questions may be added by what is called here. */
static void answer_ended(struct resolver *resolver)
{
    struct question *question, *next;
    for (question = TAILQ_FIRST(&resolver->ended); question; question = next) {
        question_answered *answered = question->answered;
        question->answered = NULL;
        if (answered)
            answered(&question->answer, question->arg);
        next = TAILQ_NEXT(question, link);
        release(question);
    }
}

static void on_pump(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct resolver *resolver = arg;
    look_at_conf(resolver);
    begin_questions(resolver);
    send_waiting(resolver);
    answer_ended(resolver);
    plan_timer(resolver);
}

/* --- from outside -------------------------------------------------------------------------- */

int resolver_new(struct event_base *base, const struct resolver_conf *conf, struct resolver **made)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (!resolver)
        return ENOMEM;
    resolver->base = base;
    resolver->conf = conf;
    TAILQ_INIT(&resolver->waiting);
    TAILQ_INIT(&resolver->sent);
    TAILQ_INIT(&resolver->questions);
    TAILQ_INIT(&resolver->ended);
    evtimer_assign(&resolver->pump, base, on_pump, resolver);
    evtimer_assign(&resolver->timer, base, on_timer, resolver);
    int error = ares_library_init(ARES_LIB_INIT_ALL) ? ENOMEM : 0;
    if (!error && (!is_system(resolver) || stat(RESOLV_CONF, &resolver->conf_file)))
        memset(&resolver->conf_file, 0, sizeof resolver->conf_file);
    if (!error) {
        error = open_channel(resolver);
        if (error)
            ares_library_cleanup();
    }
    if (error)
        free(resolver);
    else
        *made = resolver;
    return error;
}

static void free_questions(struct question_list *list)
{
    struct question *question;
    while ((question = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, question, link);
        event_del(&question->deadline);
        free_question(question);
    }
}

void resolver_free(struct resolver *resolver)
{
    struct query *query;
    struct watch *watch;
    if (!resolver)
        return;
    resolver->closing = true;
    ares_destroy(resolver->channel);
    ares_library_cleanup();
    while ((query = TAILQ_FIRST(&resolver->waiting))) {
        TAILQ_REMOVE(&resolver->waiting, query, link);
        drop_query(query);
    }
    free_questions(&resolver->questions);
    free_questions(&resolver->ended);
    while ((watch = LIST_FIRST(&resolver->watches)))
        end_watch(watch);
    event_del(&resolver->pump);
    event_del(&resolver->timer);
    forget_domains(resolver);
    free(resolver);
}

struct question *resolver_ask(struct resolver *resolver, const char *name, enum question_kind kind,
                              enum resolve_family family, in_port_t port,
                              question_answered *answered, void *arg)
{
    struct question *question = calloc(1, sizeof *question);
    size_t targets = kind == QUESTION_SERVICE ? TARGETS_MOST : 1;
    if (question)
        question->targets = calloc(targets, sizeof *question->targets);
    if (!question || !question->targets) {
        free(question);
        return NULL;
    }
    question->resolver = resolver;
    question->kind = kind;
    question->family = family;
    question->port = port;
    question->answered = answered;
    question->arg = arg;
    question->targets[0].port = port;
    question->ttl = question->negative_ttl = UINT32_MAX;
    snprintf(question->name, sizeof question->name, "%s", name);
    evtimer_assign(&question->deadline, resolver->base, on_deadline, question);
    TAILQ_INSERT_TAIL(&resolver->questions, question, link);
    wake(resolver);
    return question;
}
