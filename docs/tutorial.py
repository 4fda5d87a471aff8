# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # From a sweep to a report, in Python
#
# Run this file as it is (`python docs/tutorial.py`, about a minute), or open it as a notebook:
# VS Code and PyCharm do so directly, Jupyter with the `jupytext` package. The ratings are those of
# the small MovieLens, which come with a package: nothing is fetched.

# %%
from dataclasses import replace

import recsweep as rs

# %% [markdown]
# ## What may vary
#
# Ranges include both ends. Cross layers exist only under DCN; each layer has a width of its own.

# %%
space = rs.space(
    architecture=rs.Choice(["plain", "dcn"]),
    cross_layers=rs.Int(1, 2).when(architecture="dcn"),
    n_layers=rs.Int(1, 2),
    layer_size=rs.Choice([16, 32]).each("n_layers"),
    learning_rate=rs.Float(1e-3, 1e-2, log=True),
    embedding_l2=rs.Float(0.03, 10.0, log=True),
)

# %% [markdown]
# ## The sweep
#
# The question is which architecture is better, so both get the same number of trials. The first
# trial of each is the default configuration. Everything that is wrong with a sweep is said now,
# all at once, and not after an hour.

# %%
sweep = rs.Sweep(
    "tutorial",
    dataset={"name": "movielens-small", "features": ["user_id", "item_id", "genres"]},
    space=space,
    compare="architecture",
    model={"embedding_size": 8, "batch_size": 8192},
    trials=4,
    max_epochs=2,
    note="the tutorial: far too small to find anything out",
)

# %% [markdown]
# ## Run it
#
# The sweep becomes a folder, `studies/tutorial`, that holds everything that comes of it; run again
# it becomes `studies/tutorial-2`. Interrupt it whenever you like, with the stop button or Ctrl-C:
# what runs is checkpointed, the kernel lives, and `rs.resume("studies/tutorial")` goes on; no
# finished trial runs again.

# %%
study = rs.run(sweep)

# %% [markdown]
# ## What was learned
#
# One row a trial; `column_definitions` says what stands in each column. Only COMPLETE trials have a
# rank. `to_bias` is the gap to a user and an item bias alone: above 0, a model has learned nothing
# that is worth its training.

# %%
trials = study.trials()
trials[["number", "arm", "state", "best_rmse", "to_bias", "rank"]]

# %%
study.column_definitions()["to_bias"]

# %%
study.best(2)[["number", "arm", "best_rmse", "best_epoch", "learning_rate"]]

# %% [markdown]
# Learning curves are a tidy data frame too, ready for any plotting library.

# %%
study.curves().pivot(index="epoch", columns="number", values="val_rmse")

# %% [markdown]
# What a trial's best epoch predicts for each validation rating: from what its worker stored, or
# from its kept weights.

# %%
number = int(study.best()["number"].iloc[0])
predictions = study.predictions(number)
predictions.assign(error=predictions["predicted"] - predictions["rating"]).describe()

# %% [markdown]
# ## The report, inline
#
# In a notebook a study shows the first screen of its report. Four short trials, trained once each,
# allow little to be said, and it says no more: that no model beats the bias baseline yet, or "not
# decided: one seed each". `recsweep verdict tutorial` trains the finalists again under fresh seeds
# and tests their differences. All is in the file.

# %%
study

# %%
report = study.report()

# %% [markdown]
# ## The same again, changed
#
# A sweep is a frozen value: change a copy and give it to `rs.run`. The second study stands beside
# the first, and `recsweep report tutorial tutorial-other-seed` compares them. Later, and in another
# process, a study is loaded from its folder.

# %%
other = replace(sweep, name="tutorial-other-seed", seed=7)
loaded = rs.load(study.folder)
assert loaded.trials().equals(trials)
