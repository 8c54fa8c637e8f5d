"""The line that every comparison prints a figure in; see run.sh."""


def figure(name, ours, peer_name, peer, ratio, reach, stretch, verdict):
    print(
        f"figure={name} ours={ours} peer={peer_name}:{peer} ratio={ratio} "
        f"reach={reach} stretch={stretch} verdict={verdict}",
        flush=True,
    )


def at_least(value, reach, stretch):
    return "stretch" if value >= stretch else "reach" if value >= reach else "short"


def at_most(value, reach, stretch):
    return "stretch" if value <= stretch else "reach" if value <= reach else "short"
