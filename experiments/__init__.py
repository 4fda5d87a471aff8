"""Many trials: sweeps, their workers and their record.

Begin with `study` (from a sweep to its report) and follow it. From the top down; what stands in a
line imports what stands below it, and no other:

    cli                             the commands
    study                           the whole flow
    verdict, trials                 finalists judged; one trial looked at, trained, replayed
    data                            the data of a sweep, a study, a first look
    folder                          a study's folder, from its beginning to its clearing
    running                         the driver and its workers
    board, sharing                  TensorBoard; bundles, Optuna, MLflow
    machine                         cores, GPUs, memory, Ray
    request                         a sweep, checked whole
    own, search                     a researcher's own code; samplers and pruners
    watcher                         who looks on
    records                         what a study's folder holds, as all others read it
    ledger, translate               what happened, written down; spaces in others' words
    files, durations                files on disk; times in words
    sweep, sweep_files              a request as a value, and the file that states it
    arms, errors                    the arms of a comparison; what goes wrong
    stages, waiting, resting        how long what took; that something lasts; Python's collector
    typed                           names as a user types them
    sweeps                          the files that are shipped
"""
