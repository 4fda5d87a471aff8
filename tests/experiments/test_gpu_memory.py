"""What the driver says of GPU memory, without a GPU."""

from __future__ import annotations

import pytest

from experiments.gpu_memory import ask_nvidia_smi, others_lines, read_gpus

LISTING = """\
0, GPU-aaa1, NVIDIA H100, 81559, 81000
1, GPU-bbb2, NVIDIA H100, 81559, 500
2, GPU-ccc3, NVIDIA Orin, [N/A], [N/A]
no devices were found
"""


def test_a_gpu_has_what_it_holds_and_what_is_free() -> None:
    gpus = read_gpus(lambda: LISTING)
    assert [gpu.index for gpu in gpus] == [0, 1, 2]
    assert gpus[1].used_gb == pytest.approx((81559 - 500) / 1024)
    assert (gpus[2].memory_gb, gpus[2].used_gb) == (0.0, 0.0)


def test_only_gpus_that_others_use_are_told_of() -> None:
    (line,) = others_lines(read_gpus(lambda: LISTING))
    assert line.startswith("GPU 1 (NVIDIA H100): 79.2 of 79.6 GB are in use by others")


def test_a_machine_without_a_driver_has_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert ask_nvidia_smi() == ""
    assert read_gpus() == ()
