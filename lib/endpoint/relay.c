/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A relay: looks at the queues of all ports in turn, and goes to sleep when there is
 * nothing to do. Ports tell what has changed; the relay follows at its next turn.
 */
#include "relay.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/ctx.h"
#include "core/error.h"
#include "core/opts.h"
#include "move.h"

/* The sizes of 0.3, which callers of any later version reach. */
#define OPTS_FIRST  sizeof(struct vtc_relay_opts)
#define STATS_FIRST sizeof(struct vtc_relay_stats)

#define SPIN_NS	      50000u
#define SPIN_MAX_NS   1000000000u
#define BURST_PACKETS 64u
#define BURST_BYTES   (1u << 20)
#define STALL_MS      10u
#define BUDGET	      4096u

/* How often all flows are asked for a notification before a timer has to do. */
#define ARM_TRIES 3
#define RETRY_NS  200000u

/* How many times the average distance of packets it is worth to look for the next. */
#define SPIN_DISTANCES 3
/* The average follows an eighth of the way; a pause counts as this many spins at most. */
#define EWMA_SHIFT     3
#define PAUSE_MAX      4

/* While packets flow, descriptors and timers are looked at as often as this. */
#define SERVE_NS 20000u

/* Bursts of one flow in a round, where rates are set: enough for the smallest packets. */
#define ROUND_BURSTS 32

/* Between two looks: about 100 ns. */
#define PAUSES 6

enum stat { PACKETS, TURNS, SLEEPS, WAKE_UPS, SPINS, SPUN_NS, STATS };

struct join {
	struct join *next;
	struct vtc_port *ports[2]; /* a port that is joined with itself: twice */
	unsigned int max;
	struct vtc__flow flows[];
};

struct vtc_relay {
	struct vtc_ctx *ctx;
	struct vtc__loop *loop;
	struct vtc_relay_opts opts;
	struct join *joins;
	struct vtc__flow **flows; /* those that can move packets */
	unsigned int count, max;
	unsigned int at;   /* whose turn it is */
	unsigned int left; /* in this round */
	uint32_t round;

	bool changed; /* some port */
	bool listens; /* some port learns of packets by events alone */
	bool rated;   /* some port has a rate */
	bool owing;   /* in this round a flow waited because it had moved too much */
	bool kicked;  /* something is to be done */
	bool running; /* within vtc_relay_process() */
	bool asleep;
	bool flowing; /* the last call moved packets */
	struct vtc__timer timer;

	uint64_t served_ns;   /* when descriptors were looked at last */
	uint64_t last_ns;     /* when packets came last */
	uint64_t distance_ns; /* from one to the next, on average */

	_Atomic uint64_t stats[STATS];
	struct vtc__mover mover;
};

static void count(struct vtc_relay *r, enum stat what, uint64_t by)
{
	/* One writer: no locked addition. */
	atomic_store_explicit(
		&r->stats[what],
		atomic_load_explicit(&r->stats[what], memory_order_relaxed) + by,
		memory_order_relaxed);
}

/* ---- Life ---- */

static int load_opts(struct vtc_relay_opts *o, const struct vtc_relay_opts *given)
{
	int err = vtc__opts_load(o, sizeof(*o), OPTS_FIRST, given);

	if (err)
		return err;
	if (o->flags || o->reserved || o->burst_packets > VTC__BURST_MAX ||
	    o->spin_ns > SPIN_MAX_NS)
		return -EINVAL;
	if (!o->spin_ns)
		o->spin_ns = SPIN_NS;
	if (!o->burst_packets)
		o->burst_packets = BURST_PACKETS;
	if (!o->burst_bytes)
		o->burst_bytes = BURST_BYTES;
	if (!o->stall_ms)
		o->stall_ms = STALL_MS;
	return 0;
}

static void timer_due(struct vtc__timer *timer)
{
	VTC__OWNER(timer, struct vtc_relay, timer)->kicked = true;
}

int vtc_relay_new(struct vtc_ctx *ctx, const struct vtc_relay_opts *opts,
		  struct vtc_relay **ret_relay)
{
	struct vtc_relay_opts o;
	struct vtc_relay *r;
	int err;

	if (!ctx || !ret_relay)
		return vtc__err_arg(ctx, "relay new", "a parameter is NULL");
	err = load_opts(&o, opts);
	if (err)
		return vtc__err(ctx, err, VTC_ERROR_ORIGIN_ARG, "relay new", "options");
	r = calloc(1, sizeof(*r));
	if (!r)
		return vtc__err(ctx, -ENOMEM, VTC_ERROR_ORIGIN_SYSTEM, "relay new",
				"relay");
	err = vtc__loop_new(ctx, &r->loop);
	if (err) {
		free(r);
		return err;
	}
	r->ctx = vtc_ctx_ref(ctx);
	r->opts = o;
	r->timer.due = timer_due;
	*ret_relay = r;
	return 0;
}

void vtc_relay_free(struct vtc_relay *relay)
{
	if (!relay)
		return;
	while (relay->joins)
		vtc__relay_leave(relay->joins->ports[0]);
	vtc__loop_free(relay->loop);
	vtc_ctx_unref(relay->ctx);
	free(relay->mover.bounce);
	free(relay->flows);
	free(relay);
}

struct vtc__mover *vtc__relay_mover(struct vtc_relay *relay)
{
	return &relay->mover;
}

/* ---- Joins ---- */

static int check_join(const struct vtc_relay *r, const struct vtc_port *a,
		      const struct vtc_port *b)
{
	struct vtc_ctx *ctx = r ? r->ctx : NULL;

	if (!r || !a || !b)
		return vtc__err_arg(ctx, "relay join", "a parameter is NULL");
	if (a->ctx != ctx || b->ctx != ctx)
		return vtc__err_arg(ctx, "relay join", "a port has another context");
	if (!vtc__port_gives(a) && !vtc__port_gives(b))
		return vtc__err_arg(ctx, "relay join", "no packet can come from either");
	if (a == b && !a->ops->take)
		return vtc__err_arg(ctx, "relay join", "a tap is joined with itself");
	if (a->relay || b->relay)
		return vtc__err(ctx, -EBUSY, VTC_ERROR_ORIGIN_ARG, "relay join",
				"a port that is joined already");
	return 0;
}

static unsigned int queues_of(const struct vtc_port *port)
{
	return vtc__port_gives(port) ? port->queue_pairs : 0;
}

/* Memory for everything that the join may come to need. */
static int prepare(struct vtc_relay *r, const struct vtc_port *a,
		   const struct vtc_port *b, struct join **ret_join)
{
	unsigned int max = queues_of(a) + (a == b ? 0 : queues_of(b));
	struct vtc__flow **flows;
	struct join *j;

	if ((a->ops->produce || b->ops->produce) && vtc__mover_add_bounce(&r->mover))
		return -ENOMEM;
	flows = realloc(r->flows, (r->max + max) * sizeof(struct vtc__flow *));
	if (!flows)
		return -ENOMEM;
	r->flows = flows;
	j = calloc(1, sizeof(*j) + max * sizeof(j->flows[0]));
	if (!j)
		return -ENOMEM;
	j->max = max;
	*ret_join = j;
	return 0;
}

static void unbind(struct vtc_port *port)
{
	vtc_offload_free(port->offload);
	port->offload = NULL;
	port->loop = NULL;
	port->relay = NULL;
	port->peer = NULL;
}

static int bind(struct vtc_relay *r, struct vtc_port *port, struct vtc_port *peer)
{
	int err;

	port->loop = r->loop;
	port->relay = r;
	port->peer = peer;
	port->changed = true;
	err = port->ops->attach ? port->ops->attach(port) : 0;
	if (err)
		unbind(port);
	return err;
}

static void release(struct vtc_port *port)
{
	if (port->ops->detach)
		port->ops->detach(port);
	unbind(port);
}

static int bind_both(struct vtc_relay *r, struct vtc_port *a, struct vtc_port *b)
{
	int err = bind(r, a, b);

	if (err || a == b)
		return err;
	err = bind(r, b, a);
	if (err)
		release(a);
	return err;
}

int vtc_relay_join(struct vtc_relay *relay, struct vtc_port *a, struct vtc_port *b)
{
	struct join *j;
	int err = check_join(relay, a, b);

	if (err)
		return err;
	err = prepare(relay, a, b, &j);
	if (err)
		return vtc__err(relay->ctx, err, VTC_ERROR_ORIGIN_SYSTEM, "relay join",
				"memory of the join");
	err = bind_both(relay, a, b);
	if (err) {
		free(j);
		return vtc__err(relay->ctx, err, VTC_ERROR_ORIGIN_SYSTEM, "relay join",
				"%s and %s", a->ops->kind, b->ops->kind);
	}
	j->ports[0] = a;
	j->ports[1] = b;
	j->next = relay->joins;
	relay->joins = j;
	relay->max += j->max;
	vtc__relay_look(relay, true);
	return 0;
}

static struct join *unlink_join(struct vtc_relay *r, const struct vtc_port *port)
{
	struct join **at = &r->joins, *j;

	while ((*at)->ports[0] != port && (*at)->ports[1] != port)
		at = &(*at)->next;
	j = *at;
	*at = j->next;
	return j;
}

void vtc__relay_leave(struct vtc_port *port)
{
	struct vtc_relay *r = port->relay;
	struct join *j;

	if (!r)
		return;
	j = unlink_join(r, port);
	release(j->ports[0]);
	if (j->ports[1] != j->ports[0])
		release(j->ports[1]);
	r->max -= j->max;
	r->count = 0;
	vtc__relay_look(r, true);
	free(j);
}

void vtc__relay_look(struct vtc_relay *relay, bool changed)
{
	relay->changed = relay->changed || changed;
	relay->kicked = true;
	if (!relay->running)
		(void)vtc__loop_wake(relay->loop);
}

/* ---- What has changed ---- */

static bool has(const struct vtc_port *port, unsigned int bit)
{
	return port->accepts[bit / 64] >> bit % 64 & 1;
}

/* Without memory for it the port gets nothing: nobody could convert for it. */
static void follow_port(struct vtc_port *port)
{
	bool driver = port->far_role == VTC_VRING_DRIVER;
	struct vtc_offload *o = NULL;

	if (!port->changed)
		return;
	port->changed = false;
	if (vtc_offload_new(port->ctx, port->accepts,
			    driver ? VTC_VRING_DRIVER : VTC_VRING_DEVICE, &o))
		port->changed = true;
	vtc_offload_free(port->offload);
	port->offload = o;
	port->takes_csum = port->accepts_all ||
			   has(port, driver ? VTC_NET_F_GUEST_CSUM : VTC_NET_F_CSUM);
	if (port->peer->ops->peer_changed)
		port->peer->ops->peer_changed(port->peer);
}

static void add_flow(struct vtc_relay *r, struct vtc__flow *f, struct vtc_port *from,
		     unsigned int queue)
{
	struct vtc_port *to = from->peer;
	unsigned int to_queue = queue % (to->ready ? to->ready : to->queue_pairs);

	if (f->from != from || f->from_queue != queue || f->to_queue != to_queue)
		*f = (struct vtc__flow){
			.from = from, .to = to, .from_queue = queue, .to_queue = to_queue
		};
	f->sent = 0;
	r->flows[r->count++] = f;
}

static void add_flows(struct vtc_relay *r, struct vtc__flow *f, struct vtc_port *from)
{
	for (unsigned int q = 0; vtc__port_gives(from) && q < from->ready; q++)
		add_flow(r, f + q, from, q);
}

static uint32_t weight_of(const struct vtc_port *port)
{
	return port->rate.weight ? port->rate.weight : 1;
}

/*
 * Weights are among ports of one kind: how virtual machines share a card takes nothing
 * from what the card has for them.
 */
static uint32_t most_weight(const struct vtc_relay *r, const struct vtc_port *beside)
{
	uint32_t most = 1;

	for (unsigned int i = 0; i < r->count; i++) {
		const struct vtc_port *to = r->flows[i]->to;

		if (to->ops == beside->ops && weight_of(to) > most)
			most = weight_of(to);
	}
	return most;
}

/* A port's share is that of all flows to it, whichever of them have packets. */
static void share_out(struct vtc_relay *r)
{
	for (unsigned int i = 0; i < r->count; i++) {
		struct vtc__flow *f = r->flows[i];
		struct vtc__port_rate *rate = &f->to->rate;

		rate->quantum = (uint64_t)VTC__ROUND_BYTES * weight_of(f->to) /
					most_weight(r, f->to) +
				1;
		rate->deficit = 0;
		f->until_ns = 0;
	}
}

static void follow(struct vtc_relay *r)
{
	r->changed = r->listens = r->rated = false;
	r->count = 0;
	for (struct join *j = r->joins; j; j = j->next) {
		struct vtc_port *a = j->ports[0], *b = j->ports[1];

		r->listens = r->listens || a->ops->produce || b->ops->produce;
		r->rated = r->rated || vtc__rate_is_set(&a->rate) ||
			   vtc__rate_is_set(&b->rate);
		follow_port(a);
		follow_port(b);
		add_flows(r, j->flows, a);
		if (a != b)
			add_flows(r, j->flows + queues_of(a), b);
	}
	r->left = 0;
	if (r->rated)
		share_out(r);
}

/* ---- Turns ---- */

/* What waits must not keep others from getting anything. */
static unsigned int shed(struct vtc_relay *r, struct vtc__flow *f)
{
	struct vtc_port *from = f->from;
	unsigned int n = from->ops->excess ? from->ops->excess(from, f->from_queue) : 0;

	if (vtc__likely(!n))
		return 0;
	return vtc__move_drop(&r->mover, f, n < VTC__BURST_MAX ? n : VTC__BURST_MAX,
			      VTC__TX_DROPPED_ROOM);
}

/* Nothing could go. From some time on, what comes is dropped. */
static unsigned int stall(struct vtc_relay *r, struct vtc__flow *f)
{
	uint64_t now = vtc__now_ns(r->ctx);
	unsigned int n = shed(r, f);

	if (!f->since_ns)
		f->since_ns = now;
	if (n)
		return n;
	/* What a port without memory has stays where it comes from, until that drops. */
	if (!f->from->ops->take || now - f->since_ns < r->opts.stall_ms * VTC__NS_PER_MS)
		return 0;
	n = vtc__move_drop(&r->mover, f, r->opts.burst_packets, VTC__TX_DROPPED_ROOM);
	f->blocked = n;
	return n;
}

static unsigned int turn(struct vtc_relay *r, struct vtc__flow *f, uint32_t bytes)
{
	unsigned int n;

	if (vtc__unlikely(!f->to->ready || !f->to->offload)) {
		f->blocked = false;
		return vtc__move_drop(&r->mover, f, r->opts.burst_packets,
				      VTC__TX_DROPPED_DOWN);
	}
	n = vtc__move(&r->mover, f, r->opts.burst_packets, bytes);
	if (n)
		f->since_ns = 0;
	else if (f->blocked)
		n = stall(r, f);
	return n;
}

/* At most so many bytes; how many packets. */
static unsigned int turn_within(struct vtc_relay *r, struct vtc__flow *f, uint64_t bytes)
{
	uint32_t most =
		bytes < r->opts.burst_bytes ? (uint32_t)bytes : r->opts.burst_bytes;
	uint64_t before = f->bytes;
	unsigned int n = turn(r, f, most);
	uint64_t moved = f->bytes - before, headers = (uint64_t)n * VTC__HDR_LEN;

	moved -= headers < moved ? headers : moved;
	f->to->rate.deficit -= (int64_t)moved;
	vtc__rate_took(&f->to->rate, moved);
	return n;
}

/* Who had nothing to move, or no room for it, has saved nothing up. */
static void begin_round(struct vtc__port_rate *rate, uint32_t round)
{
	if (rate->round == round)
		return;
	rate->round = round;
	if (rate->deficit > 0)
		rate->deficit = 0;
	rate->deficit += (int64_t)rate->quantum;
}

/* A flow's part of a round, in several bursts if its packets are small. */
static unsigned int turn_rated(struct vtc_relay *r, struct vtc__flow *f)
{
	struct vtc__port_rate *rate = &f->to->rate;
	uint64_t now = vtc__now_ns(r->ctx), allowed;
	unsigned int packets = 0, n;

	f->until_ns = 0;
	begin_round(rate, r->round);
	r->owing = r->owing || rate->deficit <= 0;
	for (int i = 0; i < ROUND_BURSTS && rate->deficit > 0; i++) {
		allowed = vtc__rate_allows(rate, now, &f->until_ns);
		if (!allowed) {
			f->blocked = false;
			packets += shed(r, f);
			break;
		}
		if (allowed > (uint64_t)rate->deficit)
			allowed = (uint64_t)rate->deficit;
		n = turn_within(r, f, allowed);
		packets += n;
		if (!n)
			break;
	}
	return packets;
}

/* Each round begins with another flow: nobody always is the first to find room. */
static struct vtc__flow *next_flow(struct vtc_relay *r)
{
	struct vtc__flow *f;

	if (!r->left) {
		r->left = r->count;
		r->at = r->round++ % r->count;
	}
	f = r->flows[r->at];
	r->left--;
	r->at = r->at + 1 < r->count ? r->at + 1 : 0;
	return f;
}

/* What is left of a round; how many packets. */
static unsigned int end_round(struct vtc_relay *r, unsigned int budget)
{
	unsigned int packets = 0;

	r->owing = false;
	do {
		struct vtc__flow *f = next_flow(r);

		packets += vtc__unlikely(r->rated) ? turn_rated(r, f)
						   : turn(r, f, r->opts.burst_bytes);
	} while (r->left && packets < budget);
	return packets;
}

/* Each flow once; how many packets. The budget may have cut the last round. */
static unsigned int go_round(struct vtc_relay *r, unsigned int budget)
{
	unsigned int packets = 0;

	if (vtc__unlikely(r->changed))
		follow(r);
	if (!r->count)
		return 0;
	if (r->left)
		packets = end_round(r, budget);
	return packets ? packets : end_round(r, budget);
}

/* Debts are to the others; if none of them has anything to move, they are void. */
static void forgive(struct vtc_relay *r)
{
	for (unsigned int i = 0; i < r->count; i++)
		r->flows[i]->to->rate.deficit = 0;
}

static unsigned int go_on(struct vtc_relay *r, unsigned int budget)
{
	unsigned int packets = 0, n;

	do {
		n = go_round(r, budget - packets);
		if (!n && r->owing) {
			forgive(r);
			n = go_round(r, budget - packets);
		}
		packets += n;
	} while (n && packets < budget);
	return packets;
}

/* ---- Looking for more, and sleep ---- */

static void note_arrival(struct vtc_relay *r, uint64_t now)
{
	uint64_t pause = now - r->last_ns, most = PAUSE_MAX * r->opts.spin_ns;

	if (pause > most)
		pause = most;
	r->distance_ns += (pause >> EWMA_SHIFT) - (r->distance_ns >> EWMA_SHIFT);
	r->last_ns = now;
}

/*
 * Packets that are further apart than we may look are waited for in sleep. Those that
 * come close together make pauses of another kind: going to sleep and being woken takes
 * longer than most of these.
 */
static uint64_t spin_time(const struct vtc_relay *r)
{
	uint64_t most = r->opts.spin_ns, least = most / 4;
	uint64_t ns = r->distance_ns * SPIN_DISTANCES;

	if (!r->count || r->distance_ns > most)
		return 0;
	if (ns < least)
		return least;
	return ns < most ? ns : most;
}

static void pause_once(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Each look takes the line away that the far side is about to write. */
static void pause_cpu(void)
{
	for (int i = 0; i < PAUSES; i++)
		pause_once();
}

/* How long it looked in vain; the look that finds something is not part of it. */
static unsigned int spin(struct vtc_relay *r, unsigned int budget)
{
	uint64_t end = spin_time(r), start, now;
	unsigned int n;

	if (!end)
		return 0;
	end += r->last_ns;
	start = now = vtc__now_ns(r->ctx);
	for (;;) {
		n = go_round(r, budget);
		if (n || now >= end)
			break;
		pause_cpu();
		if (r->listens)
			(void)vtc__loop_serve(r->loop);
		now = vtc__now_ns(r->ctx);
	}
	count(r, SPINS, 1);
	count(r, SPUN_NS, now - start);
	return n;
}

static bool arm_flow(const struct vtc__flow *f)
{
	const struct vtc__port_ops *from = f->from->ops, *to = f->to->ops;

	if (f->until_ns)
		return true;
	/* What cannot tell whether it has something may just have nothing. */
	if ((!f->blocked || from->produce) && from->arm_take(f->from, f->from_queue))
		return true;
	return f->blocked && to->arm_reserve(f->to, f->to_queue);
}

/* Ask everybody for a notification; true: all of them will come. */
static bool arm(struct vtc_relay *r)
{
	bool armed = true;

	r->kicked = false;
	for (unsigned int i = 0; i < r->count; i++) {
		if (!arm_flow(r->flows[i]))
			armed = false;
	}
	return armed && !r->kicked && !r->changed;
}

/* When a sender has waited long enough, or, if we could not arm, in a moment. */
static void set_timer(struct vtc_relay *r, bool armed)
{
	uint64_t at = armed ? UINT64_MAX : vtc__now_ns(r->ctx) + RETRY_NS;

	for (unsigned int i = 0; i < r->count; i++) {
		const struct vtc__flow *f = r->flows[i];
		uint64_t due = f->since_ns + r->opts.stall_ms * VTC__NS_PER_MS;

		if (f->blocked && f->since_ns && f->from->ops->take && due < at)
			at = due;
		if (f->until_ns && f->until_ns < at)
			at = f->until_ns;
	}
	if (at != UINT64_MAX)
		vtc__loop_set_timer(r->loop, &r->timer, at);
}

/* Packets that came while we asked to be told; 0: sleep. */
static unsigned int fall_asleep(struct vtc_relay *r, unsigned int budget)
{
	bool armed = arm(r);
	unsigned int n = 0;

	for (int i = 1; i < ARM_TRIES && !armed && !n; i++) {
		n = go_round(r, budget);
		armed = arm(r);
	}
	if (n)
		return n;
	set_timer(r, armed);
	count(r, SLEEPS, 1);
	r->asleep = true;
	return 0;
}

static int serve(struct vtc_relay *r)
{
	int n;

	if (r->flowing && r->last_ns - r->served_ns < SERVE_NS)
		return 0;
	r->served_ns = r->last_ns;
	n = vtc__loop_serve(r->loop);
	if (n > 0 && r->asleep)
		count(r, WAKE_UPS, 1);
	r->asleep = false;
	return n;
}

static int process(struct vtc_relay *r, unsigned int budget)
{
	unsigned int packets;
	int err = serve(r);

	if (err < 0)
		return err;
	packets = go_on(r, budget);
	if (!packets)
		packets = spin(r, budget);
	r->flowing = packets;
	if (!packets)
		return (int)fall_asleep(r, budget);
	note_arrival(r, vtc__now_ns(r->ctx));
	return (int)packets;
}

int vtc_relay_process(struct vtc_relay *relay, unsigned int budget)
{
	int n;

	if (!relay)
		return -EINVAL;
	if (!budget)
		budget = BUDGET;
	relay->running = true;
	count(relay, TURNS, 1);
	n = process(relay, budget < INT32_MAX / 2 ? budget : INT32_MAX / 2);
	relay->running = false;
	if (n > 0)
		count(relay, PACKETS, (uint64_t)n);
	return n;
}

int vtc_relay_get_fd(const struct vtc_relay *relay)
{
	return relay ? vtc__loop_fd(relay->loop) : -EINVAL;
}

int vtc_relay_wake(struct vtc_relay *relay)
{
	return relay ? vtc__loop_wake(relay->loop) : -EINVAL;
}

int vtc_relay_get_stats(const struct vtc_relay *relay, struct vtc_relay_stats *stats)
{
	struct vtc_relay_stats out = { 0 };
	uint64_t *const field[STATS] = { &out.packets,	&out.turns, &out.sleeps,
					 &out.wake_ups, &out.spins, &out.spun_ns };

	if (!relay || !stats || stats->sz < STATS_FIRST)
		return -EINVAL;
	for (unsigned int i = 0; i < STATS; i++)
		*field[i] = atomic_load_explicit(&relay->stats[i], memory_order_relaxed);
	vtc__opts_give(stats, &out, sizeof(out));
	return 0;
}
