"""BibTeX of the software and methods that a study used."""

from __future__ import annotations

from experiments.records import StudyRecord
from reports import labels
from reports.described import is_movielens
from reports.paper.latex import escape
from reports.paper.methods import name_of
from reports.trained_with import commit, version

_OPTUNA = """@inproceedings{optuna,
  author    = {Akiba, Takuya and Sano, Shotaro and Yanase, Toshihiko and Ohta, Takeru and
               Koyama, Masanori},
  title     = {Optuna: A Next-generation Hyperparameter Optimization Framework},
  booktitle = {Proceedings of the 25th ACM SIGKDD International Conference on Knowledge Discovery
               and Data Mining},
  pages     = {2623--2631},
  publisher = {Association for Computing Machinery},
  year      = {2019},
  doi       = {10.1145/3292500.3330701}
}
"""
_TPE = """@inproceedings{tpe,
  author    = {Bergstra, James and Bardenet, R{\\'e}mi and Bengio, Yoshua and
               K{\\'e}gl, Bal{\\'a}zs},
  title     = {Algorithms for Hyper-Parameter Optimization},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {24},
  pages     = {2546--2554},
  year      = {2011}
}
"""
_TENSORFLOW = """@inproceedings{tensorflow,
  author    = {Abadi, Mart{\\'i}n and Barham, Paul and Chen, Jianmin and Chen, Zhifeng and
               Davis, Andy and Dean, Jeffrey and Devin, Matthieu and Ghemawat, Sanjay and
               Irving, Geoffrey and Isard, Michael and others},
  title     = {{TensorFlow}: A System for Large-Scale Machine Learning},
  booktitle = {12th USENIX Symposium on Operating Systems Design and Implementation (OSDI 16)},
  pages     = {265--283},
  publisher = {USENIX Association},
  year      = {2016}
}
"""
_TUNE = """@article{raytune,
  author  = {Liaw, Richard and Liang, Eric and Nishihara, Robert and Moritz, Philipp and
             Gonzalez, Joseph E. and Stoica, Ion},
  title   = {Tune: A Research Platform for Distributed Model Selection and Training},
  journal = {arXiv preprint arXiv:1807.05118},
  year    = {2018}
}
"""
_DCN = """@inproceedings{dcnv2,
  author    = {Wang, Ruoxi and Shivanna, Rakesh and Cheng, Derek and Jain, Sagar and Lin, Dong and
               Hong, Lichan and Chi, Ed},
  title     = {{DCN} V2: Improved Deep \\& Cross Network and Practical Lessons for Web-scale
               Learning to Rank Systems},
  booktitle = {Proceedings of the Web Conference 2021},
  pages     = {1785--1797},
  publisher = {Association for Computing Machinery},
  year      = {2021},
  doi       = {10.1145/3442381.3450078}
}
"""
_MOVIELENS = """@article{movielens,
  author  = {Harper, F. Maxwell and Konstan, Joseph A.},
  title   = {The {MovieLens} Datasets: History and Context},
  journal = {ACM Transactions on Interactive Intelligent Systems},
  volume  = {5},
  number  = {4},
  pages   = {19:1--19:19},
  year    = {2015},
  doi     = {10.1145/2827872}
}
"""


def bibtex(study: StudyRecord) -> str:
    """recsweep itself at the version on record, and those of its parts that this study used."""
    ours, from_ = version(study, "recsweep"), commit(study)
    notes = [f"Version {ours}"] if ours else []
    notes += [f"commit {from_}"] if from_ else []
    note = f",\n  note   = {{{escape(', '.join(notes))}}}" if notes else ""
    entries = [
        "@misc{recsweep,\n  author = {{The recsweep authors}},\n"
        "  title  = {recsweep: Hyperparameter Experiments for Recommender Ranking Models}"
        f"{note}\n}}\n"
    ]
    if name_of((study.sweep.get("search") or {}).get("sampler")) != "grid":
        entries.append(_OPTUNA)
    if name_of((study.sweep.get("search") or {}).get("sampler")) == "tpe":
        entries.append(_TPE)
    entries += [_TUNE, _TENSORFLOW]
    if any(labels.architecture_of(study, trial) == "dcn" for trial in study.trials):
        entries.append(_DCN)
    if is_movielens(study):
        entries.append(_MOVIELENS)
    return "\n".join(entries)
