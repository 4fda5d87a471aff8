"""TensorFlow as this project uses it: with Keras 2, and devices set before anything touches them.

Every module that needs TensorFlow imports it from here. TensorFlow Recommenders works with Keras 2
(`tf_keras`) only, and TensorFlow chooses its Keras once, when it is imported.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from recommender.repeating import repeats_on_gpus

os.environ["TF_USE_LEGACY_KERAS"] = "1"
# Whoever imported TensorFlow may not have touched its Keras, which is chosen then.
if (imported := sys.modules.get("tensorflow")) and imported.keras.__name__.startswith("keras."):
    raise ImportError(
        "TensorFlow was imported with Keras 3, and TensorFlow Recommenders needs Keras 2: start "
        "Python anew, and import recsweep first or set the environment variable "
        "TF_USE_LEGACY_KERAS=1 before the first `import tensorflow`"
    )
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# What XLA optimises most for a CPU is a fifth slower for our steps. On a GPU it would try products
# out and take the fastest, which need not add up in the same order the next time.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1 --xla_gpu_autotune_level=0")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """TensorFlow's libraries write to file 2 while they load, before any log level is read."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


with _quiet() if os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3" else contextlib.nullcontext():
    import tensorflow as tf
    import tensorflow_recommenders as tfrs

# Rewriting a new graph takes a fifth of the time until it trains and makes none of ours faster; and
# some rewrites add up in whatever order their inputs come.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})

__all__ = ["configure_devices", "tf", "tfrs"]


def configure_devices(gpu: bool, threads: int, memory_limit_mb: int | None = None) -> None:
    """Settles for the life of the process which devices TensorFlow uses, and how much of them.

    Args:
        gpu: False hides all GPUs. True takes GPU memory as it is needed, not all at once, and has
            operations add up in one order, so that a run repeats to the bit there too, unless
            the environment gives that up (`recommender.repeating`).
        threads: of one operation on the CPU. Operations run one after another: with one thread a
            run repeats to the bit.
        memory_limit_mb: an upper bound on each GPU's memory, taken as it is.

    Raises:
        RuntimeError: TensorFlow has already used a device.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    if not gpu:
        tf.config.set_visible_devices([], "GPU")
        return
    if repeats_on_gpus():
        tf.config.experimental.enable_op_determinism()
        # Without any seed, what is random in a researcher's own model would now be refused.
        tf.random.set_seed(0)
    for device in tf.config.list_physical_devices("GPU"):
        if memory_limit_mb is None:
            tf.config.experimental.set_memory_growth(device, True)
        else:
            limit = tf.config.LogicalDeviceConfiguration(memory_limit=memory_limit_mb)
            tf.config.set_logical_device_configuration(device, [limit])
