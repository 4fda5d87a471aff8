"""What was learned: reports read from study folders, without Ray, Optuna or TensorFlow.

Begin with `render`: a study in, a folder of files out. From the top down:

    recheck, model_card               a report held against its study; an exported model's card
    render, comparing                 one study; several
    sections                          what a report has
    paper, pages                      what a paper needs; sections as HTML and Markdown
    drawing                           pictures
    judging                           what may be said of models from their errors
    exports, ranking                  the trials as a table, and who stands where
    noise, labels                     how far apart equal models lie; how trials are called
    blocks, described, trained_with   what sections are made of; what a study's record says
    numbers                           how values are written
    templates                         the page that a report's parts stand in
"""
