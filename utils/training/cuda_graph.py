"""The training step as a CUDA graph: captured once, then replayed. Experimental.

step = GraphedStep()  # is called as `engine.train_step` is

A graph launches all kernels of a step in one call. This one has never run on a GPU, so that it
checks its first steps against eager ones, and falls back to them if anything is wrong.
https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from collections.abc import Callable

import torch
from torch import Tensor

from model import VAE
from utils.run.checkpoint import first_line
from utils.training.engine import train_step

WARM_UPS = 3  # eager steps before the capture, in which libraries set themselves up
CHECKED = 3  # replays that are compared with eager steps
TOLERANCE = 1e-3  # of the norm of an eager step's update, by which a replay's may differ
TINY = 1e-12  # instead of an update of 0


def capture_on_cuda(work: Callable[[], None]) -> Callable[[], None]:
    """Call a function a few times, capture what it does on the GPU, and return the replay of it."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UPS):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):  # no other thread may use the GPU: nothing is written yet
        work()
    return graph.replay


class GraphedStep:
    """`train_step` as a graph, for one model, one optimiser and batches of one shape.

    Parameters
    ----------
    capture : callable
        From a function without arguments to its replay; it may call the function.
    say : callable
        Takes the line that tells of a fall back to eager steps.
    """

    def __init__(
        self,
        capture: Callable[[Callable[[], None]], Callable[[], None]] = capture_on_cuda,
        say: Callable[[str], None] = print,
    ):
        self.capture = capture
        self.say = say
        self.replay: Callable[[], None] | None = None
        self.num_checked = 0
        self.is_eager = False

    def __call__(
        self, model: VAE, optimizer: torch.optim.Optimizer, x: Tensor, eps: Tensor, **settings
    ) -> Tensor:
        """Take a step; see `train_step`. The result is overwritten by the next one."""
        if self.replay is None and not self.is_eager:
            try:
                if x.device.type == "cpu" and self.capture is capture_on_cuda:
                    raise RuntimeError("there is none on a CPU")
                self.record(model, optimizer, x, eps, settings)
            except (RuntimeError, AssertionError) as error:
                self.fall_back(first_line(error))
        if self.is_eager:
            return train_step(model, optimizer, x, eps, **settings)
        self.x.copy_(x)
        self.eps.copy_(eps)
        self.lr.fill_(optimizer.param_groups[0]["lr"])
        if self.num_checked < CHECKED:
            return self.checked_step(model, optimizer, x, eps, settings)
        self.replay()
        return self.losses

    def record(self, model, optimizer, x, eps, settings) -> None:
        """Capture the step, and leave the model and the optimiser as they were."""
        before = snapshot(model, optimizer)
        self.x, self.eps = x.clone(), eps.clone()
        rates = [group["lr"] for group in optimizer.param_groups]
        self.lr = torch.tensor(rates[0], device=x.device)

        def work() -> None:
            self.losses = train_step(model, optimizer, self.x, self.eps, **settings)

        # The graph keeps the rate's tensor; the optimiser gets its numbers back, so that its state
        # on disk is that of an eager run.
        for group in optimizer.param_groups:
            group["lr"], group["capturable"] = self.lr, True
        try:
            self.replay = self.capture(work)
        finally:
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"], group["capturable"] = rate, False
            put_back(model, optimizer, before)

    def checked_step(self, model, optimizer, x, eps, settings) -> Tensor:
        """Take an eager step, after replays were compared with eager steps at two rates.

        A rate that the graph holds as a number, and not as the tensor, shows at the second one.
        """
        before, rate = snapshot(model, optimizer), optimizer.param_groups[0]["lr"]
        differences = []
        for tried in (rate / 2, rate):
            put_back(model, optimizer, before)
            self.lr.fill_(tried)
            self.replay()
            replayed = snapshot(model, optimizer)
            put_back(model, optimizer, before)
            for group in optimizer.param_groups:
                group["lr"] = tried
            losses = train_step(model, optimizer, x, eps, **settings)  # the last one counts
            eager = snapshot(model, optimizer)
            differences.append(distance(replayed, eager) / max(distance(before, eager), TINY))
        self.num_checked += 1
        if not all(difference <= TOLERANCE for difference in differences):  # nor where one is nan
            self.fall_back(f"its steps differ from eager ones by {max(differences):.3g} of a step")
        return losses

    def fall_back(self, reason: str) -> None:
        """Take eager steps from here on, and say so."""
        self.is_eager, self.replay = True, None
        self.say(f"CUDA graph: not used, steps are eager ({reason}).")


def snapshot(model: VAE, optimizer: torch.optim.Optimizer) -> tuple[list[Tensor], dict]:
    """Return copies of the weights, and of the optimiser's tensors by the weights they are for."""
    weights = [weight.detach().clone() for weight in model.parameters()]
    moments = {
        weight: {name: value.clone() for name, value in state.items()}
        for weight, state in optimizer.state.items()
    }
    return weights, moments


@torch.no_grad()
def put_back(model: VAE, optimizer: torch.optim.Optimizer, before: tuple[list, dict]) -> None:
    """Bring weights and moments back in place: a graph holds the tensors, not their names.

    Moments that are newer than the snapshot become 0, as they are before the first step.
    """
    weights, moments = before
    for weight, value in zip(model.parameters(), weights, strict=True):
        weight.copy_(value)
    for weight, state in optimizer.state.items():
        for name, value in state.items():
            value.copy_(moments[weight][name]) if weight in moments else value.zero_()


def distance(first: tuple[list, dict], second: tuple[list, dict]) -> float:
    """Return the Euclidean distance between the weights of two snapshots."""
    pairs = zip(first[0], second[0], strict=True)
    return torch.stack([(a - b).norm() for a, b in pairs]).norm().item()
