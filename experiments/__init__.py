"""Many trials: sweeps, their workers and their record.

Begin with `study` (from sweep to report) and follow it. Its modules, by what they are about:

    the flow       study, running, resume, conductor, orders, bridge, worker, supervision, sessions,
                   stages, waiting, watcher
    a sweep        config, sweep, sweep_file, sweep_tables, sweep_checks, overrides, toml_text,
                   durations, data_checks, space_checks, metric_checks, idle_dimensions, frozen,
                   plan, drafts, column_names, item_guesses, enqueued_files
    own code       own_code, own_objects, own_search, kept_code, notebook_source
    data           study_data, clean_tables
    the search     search, search_protocol, armed_search, arms, optuna_search, samplers, pruners,
                   arguments, grid, enqueue, importance
    the machine    machine, resources, cores, gpu_memory, packing, probe, cluster, shared_cluster,
                   ray_environment, ray_head, crew, liveness, collector, scratch, doctor
    the record     folders, files, journal, ledger, ledger_tables, outcomes, repair, lock,
                   heartbeat, provenance, keeping, garbage, notes, openings
    what is read   records, trial_records, verdict_records, derived_records, values, choosing,
                   typed
    the board      hparams, board, board_check
    the verdict    verdict, finalists, frozen_finalists, size_control, evidence, errors_by_user,
                   segments, crossings, unseal
    one trial      single, best, replicas, replay, predictions
    handing on     bundle, bundle_checks, unpacking, to_optuna, to_mlflow
    commands       cli, errors
    converters     translate
    shipped        sweeps
"""
