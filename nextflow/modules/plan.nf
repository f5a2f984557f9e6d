// Choose the genes of an experiment and make its splits.
process PLAN {
    label 'process_high'
    container "histpred:${workflow.manifest.version}-train"

    input:
    path sheet, stageAs: 'sheet/*'
    tuple val(names), path(annotations, stageAs: 'annotation?/*'), path(fastas, stageAs: 'genome?/*'), path(labels, stageAs: 'labels?/*')
    path kept

    output:
    path 'experiment/plan', emit: plan
    tuple val('histpred'), eval('histpred --version'), topic: versions

    script:
    def rows = [names, annotations, fastas, labels].collect { column -> [column].flatten() }.transpose().flatten()
    """
    kept=\$(dirname "\$(readlink -f ${kept})")
    printf '"%s","%s","%s","%s"\\n' name annotation fasta labels ${rows.join(' ')} > genomes.csv
    histpred experiment ${sheet} genomes.csv -o experiment -t ${task.cpus} --plan --cache "\$kept/genomes"
    """

    stub:
    """
    mkdir -p experiment/plan
    echo '{"identity": {"configurations": {"stub": {}}}}' > experiment/plan/plan.json
    """
}
