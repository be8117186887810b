"""The wrapper around a graph, with a stand-in for the capture: there is no GPU to test on."""

import pytest
import torch

import main
from model import VAE
from utils.training.cuda_graph import CHECKED, WARM_UPS, GraphedStep
from utils.training.engine import new_optimizer, train_step

SETTINGS = {"recon_weight": 10.0, "kl_weight": 1.0}
STEPS = CHECKED + 3


def start():
    torch.manual_seed(0)
    model = VAE(8, 16, 3)
    return model, new_optimizer(model)


def capture_for(optimizer):
    """A capture as on the GPU: it warms up, and what it replays knows the rate's tensor alone."""

    def capture(work):
        for _ in range(WARM_UPS):
            work()
        (group,) = optimizer.param_groups
        rate = group["lr"]
        assert isinstance(rate, torch.Tensor) and group["capturable"]

        def replay():
            number, group["lr"] = group["lr"], rate
            work()
            group["lr"] = number

        return replay

    return capture


def train(step, model, optimizer, num_steps=STEPS):
    """Take steps with batches and rates of their own; return the losses."""
    noise = torch.Generator().manual_seed(1)
    losses = []
    for index in range(num_steps):
        optimizer.param_groups[0]["lr"] = 2.0 ** -(9 + index)  # exact in fp32
        x, eps = torch.rand(4, 3, 8, 8, generator=noise), torch.randn(4, 3, generator=noise)
        losses.append(step(model, optimizer, x, eps, **SETTINGS).tolist())
    return losses


def everything(model, optimizer):
    """Return all weights, moments and numbers as lists, which compare exactly."""
    weights = [weight.tolist() for weight in model.parameters()]
    saved = optimizer.state_dict()
    moments = [{key: value.tolist() for key, value in s.items()} for s in saved["state"].values()]
    return weights, moments, saved["param_groups"]


@pytest.fixture
def eager():
    model, optimizer = start()
    losses = train(train_step, model, optimizer)
    return model, optimizer, losses


@pytest.mark.parametrize("steps_before", [0, 2])
def test_a_run_with_the_graph_is_the_run_without_it(steps_before):
    results, lines = [], []
    for is_graphed in (False, True):
        model, optimizer = start()
        train(train_step, model, optimizer, steps_before)
        step = GraphedStep(capture_for(optimizer), lines.append) if is_graphed else train_step
        results.append((train(step, model, optimizer), everything(model, optimizer)))
    assert lines == [] and step.replay and step.num_checked == CHECKED
    assert results[0] == results[1]


def test_a_capture_that_fails_leaves_an_eager_run(eager):
    def capture(work):
        work()
        raise RuntimeError("operation not permitted\nwhen stream is capturing")

    model, optimizer = start()
    lines = []
    losses = train(GraphedStep(capture, lines.append), model, optimizer)
    assert everything(model, optimizer) == everything(*eager[:2])
    assert losses == eager[2]
    assert lines == [
        "CUDA graph: not used, steps are eager (RuntimeError: operation not permitted)."
    ]


@pytest.mark.parametrize("fault", ["nothing", "twice", "the rate of the capture", "not a number"])
def test_a_replay_that_does_something_else_is_noticed(eager, fault):
    model, optimizer = start()

    def capture(work):
        right = capture_for(optimizer)(work)

        def replay():
            if fault == "twice":
                right()
                right()
            if fault == "the rate of the capture":
                step.lr.fill_(2.0**-9)
                right()
            if fault == "not a number":
                next(model.parameters()).data.fill_(torch.nan)

        return replay

    lines = []
    step = GraphedStep(capture, lines.append)
    train(step, model, optimizer)
    assert everything(model, optimizer) == everything(*eager[:2])
    assert len(lines) == 1 and "its steps differ from eager ones by" in lines[0]
    assert step.num_checked == 1


def test_without_a_gpu_a_run_says_so_and_goes_on(run_script, sprite_folder):
    arguments = ("--data_path", sprite_folder, "--epoch", 2, "--hidden_size", 16, "--device", "cpu")
    code, out, err = run_script(main, *arguments, "--cuda_graph")
    assert code == 0, err
    assert "CUDA graph: not used, steps are eager (" in out
    assert "Trained epochs 0 to 1" in out
