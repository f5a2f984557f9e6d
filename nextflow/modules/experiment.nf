// Report on the finished configurations of an experiment, and on what is missing (1).
process EXPERIMENT {
    label 'process_high'
    container "histpred:${workflow.manifest.version}-train"

    input:
    path plan, stageAs: 'experiment/plan'
    path configurations, stageAs: 'experiment/configurations/*'
    path sheet, stageAs: 'sheet/*'
    tuple val(names), path(annotations, stageAs: 'annotation?/*'), path(fastas, stageAs: 'genome?/*'), path(labels, stageAs: 'labels?/*')
    path kept
    val flags

    output:
    path 'experiment/{report.html,experiment.json,*.tsv}', emit: report
    tuple val('histpred'), eval('histpred --version'), topic: versions

    script:
    def rows = [names, annotations, fastas, labels].collect { column -> [column].flatten() }.transpose().flatten()
    """
    kept=\$(dirname "\$(readlink -f ${kept})")
    printf '"%s","%s","%s","%s"\\n' name annotation fasta labels ${rows.join(' ')} > genomes.csv
    histpred experiment ${sheet} genomes.csv -o experiment -t ${task.cpus} ${flags} \\
        --cache "\$kept/genomes" --store "\$kept/embeddings/experiment" || test \$? -eq 1
    """

    stub:
    """
    mkdir -p experiment
    touch experiment/report.html
    """
}
