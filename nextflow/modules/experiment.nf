// Report on the finished configurations of an experiment, and on what is missing (1).
process EXPERIMENT {
    label 'process_high'
    container "histpred:${workflow.manifest.version}-train"

    input:
    path plan, stageAs: 'experiment/plan'
    path configurations, stageAs: 'experiment/configurations/*'
    tuple path(sheet, stageAs: 'sheet/*'), val(links), path(named, stageAs: 'named??/*')
    tuple val(genomes), path(annotation, stageAs: 'annotation??/*'), path(fasta, stageAs: 'fasta??/*'),
        path(labels, stageAs: 'labels??/*')
    path kept
    val flags

    output:
    path 'experiment/{report.html,experiment.json,*.tsv}', emit: report
    tuple val('histpred'), eval('histpred --version'), topic: versions

    script:
    def write_genomes = "cat > genomes.csv <<'END'\n${genomes}\nEND"
    """
    ${write_genomes}
    ${links}
    kept=\$(dirname "\$(readlink -f ${kept ?: 'none'})")
    histpred experiment ${sheet} genomes.csv -o experiment -t ${task.cpus} ${flags} \\
        --cache "\$kept/genomes" --store "\$kept/embeddings/experiment" || test \$? -eq 1
    """

    stub:
    """
    mkdir -p experiment
    touch experiment/report.html
    """
}
