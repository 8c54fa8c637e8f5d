"""Rings, dense blocks and components against FRAUDAR, igraph and networkx; see run.sh.

A simulated network of 150,000 users and 175 rings: everybody gets the same edges between users and what they use, merchants
included. CPU seconds (user + system) on one thread, graphs ready; the least of three turns of ours, one turn of a peer.

Parts (--only):
  - rings: users of rings found, precision and recall, on the seeds, densities and shares of households below; on the first of
    them the time against the densest block of FRAUDAR, Leiden of igraph and, where --slow is given, Louvain of networkx.
  - dense: the densest block, ours against the peel below in Python: the same users, the same score.
  - components: against igraph.
  - stream: an event as it arrives, by the clock.
"""

import argparse
import math
import pathlib
import subprocess
import time

import numpy as np

from figures import at_least, at_most, figure

PARTS = ("rings", "dense", "components", "stream")
WORLDS = ((12345, 0.5, 0.12), (777, 0.5, 0.12), (999, 0.35, 0.12), (4242, 0.5, 0.3), (31337, 0.25, 0.2))


def faster(name, ours, peer, bars):
    ratio = peer[1] / ours
    figure(name, f"{ours:.4f}s", peer[0], f"{peer[1]:.3f}s", f"{ratio:.1f}", *bars, at_least(ratio, *bars))


class LeastTree:
    """Numbers that fall, and the place of the least, in a complete binary tree."""

    def __init__(self, values):
        self.height = max(1, math.ceil(math.log2(max(2, len(values)))))
        self.leaves = 2**self.height
        self.tree = [math.inf] * (2 * self.leaves)
        self.tree[self.leaves : self.leaves + len(values)] = values
        for node in range(self.leaves - 1, 0, -1):
            self.tree[node] = min(self.tree[2 * node], self.tree[2 * node + 1])

    def least(self):
        node = 1
        while node < self.leaves:
            node = 2 * node if self.tree[2 * node] <= self.tree[2 * node + 1] else 2 * node + 1
        return node - self.leaves, self.tree[node]

    def change(self, place, by):
        node = place + self.leaves
        self.tree[node] += by
        node //= 2
        while node:
            self.tree[node] = min(self.tree[2 * node], self.tree[2 * node + 1])
            node //= 2


def fraudar(users, things, edges):
    """Algorithm 1 of Hooi et al. (2016) with logarithmic weights: users, things and score of the densest block."""
    degrees = np.bincount(edges[:, 1], minlength=things)
    weights = 1.0 / np.log(degrees + 5.0)
    of_user = [[] for _ in range(users)]
    of_thing = [[] for _ in range(things)]
    for user, thing in edges.tolist():
        of_user[user].append(thing)
        of_thing[thing].append(user)
    weight = weights.tolist()
    rows = LeastTree([sum(weight[thing] for thing in own) for own in of_user])
    columns = LeastTree([weight[thing] * len(own) for thing, own in enumerate(of_thing)])
    score = sum(sum(weight[thing] for thing in own) for own in of_user)
    left_users, left_things = set(range(users)), set(range(things))
    best, best_at, order = score / (users + things), 0, []
    while left_users and left_things:
        user, user_least = rows.least()
        thing, thing_least = columns.least()
        if user_least <= thing_least:
            score -= user_least
            for other in of_user[user]:
                if other in left_things:
                    columns.change(other, -weight[other])
            rows.change(user, math.inf)
            left_users.remove(user)
            order.append((0, user))
        else:
            score -= thing_least
            for other in of_thing[thing]:
                if other in left_users:
                    rows.change(other, -weight[thing])
            columns.change(thing, math.inf)
            left_things.remove(thing)
            order.append((1, thing))
        size = len(left_users) + len(left_things)
        if size and score / size > best:
            best, best_at = score / size, len(order)
    gone = set(order[:best_at])
    return (
        [user for user in range(users) if (0, user) not in gone],
        [thing for thing in range(things) if (1, thing) not in gone],
        best,
    )


def cpu(call):
    start = time.process_time()
    answer = call()
    return time.process_time() - start, answer


class Runs:
    def __init__(self, arguments):
        self.ours = arguments.ours
        self.cache = pathlib.Path(arguments.cache) / "graph"
        self.slow = arguments.slow
        self.edges = None

    def run(self, *words):
        output = subprocess.run([self.ours, *map(str, words)], check=True, capture_output=True, text=True).stdout
        return [float(word) for word in output.split()]

    def read(self):
        if self.edges is None:
            self.run("write", *WORLDS[0], self.cache)
            pairs = np.fromfile(self.cache / "edges.u32", dtype="<u4").reshape(-1, 2)
            self.users, self.things = map(int, pairs[0])
            self.edges = pairs[1:].astype(np.int64)
            self.truth = set(np.fromfile(self.cache / "rings.u32", dtype="<u4").tolist())
        return self.users, self.things, self.edges

    def quality(self, name, members):
        members = set(members)
        right = len(members & self.truth)
        print(f"# {name}: precision {right / max(1, len(members)):.3f}, recall {right / len(self.truth):.3f}")

    def rings(self):
        seconds = None
        for world in WORLDS:
            taken, precision, recall, rings, edges = self.run("rings", *world)
            seconds = seconds or taken
            print(f"# seed {world[0]}, density {world[1]}, households {world[2]}: {rings:.0f} rings, {edges:.0f} edges, {taken:.3f} s")
            figure("ring_precision", f"{precision:.4f}", "none", "-", "-", 0.95, 0.98, at_least(precision, 0.95, 0.98))
            figure("ring_recall", f"{recall:.4f}", "none", "-", "-", 0.95, 0.98, at_least(recall, 0.95, 0.98))
        users, things, edges = self.read()
        taken, block = cpu(lambda: fraudar(users, things, edges))
        self.quality("FRAUDAR, one block", block[0])
        faster("rings_time", seconds, ("FRAUDAR in Python", taken), (100, 190))
        import igraph

        graph = igraph.Graph(users + things, list(zip(edges[:, 0].tolist(), (edges[:, 1] + users).tolist())))
        taken, found = cpu(lambda: graph.community_leiden(objective_function="modularity"))
        # Communities of three users and more, as they are.
        members = [node for group in found if 3 <= sum(n < users for n in group) for node in group if node < users]
        self.quality("igraph Leiden", members)
        faster("rings_time", seconds, ("igraph Leiden", taken), (40, 65))
        if self.slow:
            import networkx

            graph = networkx.Graph(zip(edges[:, 0].tolist(), (edges[:, 1] + users).tolist()))
            taken, _ = cpu(lambda: networkx.community.louvain_communities(graph, seed=1))
            faster("rings_time", seconds, ("networkx Louvain", taken), (500, 1500))

    def dense(self):
        users, things, edges = self.read()
        seconds, _, _, score = self.run("dense", self.cache)
        taken, block = cpu(lambda: fraudar(users, things, edges))
        ours = np.fromfile(self.cache / "block.u32", dtype="<u4").tolist()
        assert ours == block[0], (len(ours), len(block[0]))
        assert abs(score - block[2]) < 1e-9, (score, block[2])
        faster("dense_block", seconds, ("FRAUDAR in Python", taken), (10, 20))

    def components(self):
        import igraph

        users, things, edges = self.read()
        graph = igraph.Graph(users + things, list(zip(edges[:, 0].tolist(), (edges[:, 1] + users).tolist())))
        seconds, count = self.run("components", self.cache)
        taken, found = min((cpu(graph.connected_components) for _ in range(3)), key=lambda pair: pair[0])
        assert count == len(found), (count, len(found))
        faster("components", seconds, ("igraph", taken), (8, 15))

    def stream(self):
        median, p99, p999, rings = self.run("stream", *WORLDS[0])
        print(f"# {rings:.0f} rings at the end, 999th of a thousand {p999 * 1e6:.1f} us")
        print(f"# median {median * 1e6:.2f} us")
        figure("stream_event_p99", f"{p99 * 1e6:.1f}us", "none", "-", "-", "20us", "5us", at_most(p99 * 1e6, 20, 5))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--cache", required=True)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--slow", action="store_true", help="also what takes minutes")
    arguments = parser.parse_args()
    runs = Runs(arguments)
    for part in PARTS if arguments.only is None else (arguments.only,):
        getattr(runs, part)()


main()
