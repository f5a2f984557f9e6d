// Train and evaluate one configuration of an experiment on all its splits. A configuration that fails (1) leaves no output:
// the report says what is missing.
process CONFIGURATION {
    tag "${name}"
    label 'process_gpu'
    label 'process_high'
    container "histpred:${workflow.manifest.version}-train"

    input:
    val name
    path plan, stageAs: 'experiment/plan'
    tuple path(sheet, stageAs: 'sheet/*'), val(links), path(named, stageAs: 'named??/*')
    tuple val(genomes), path(annotation, stageAs: 'annotation??/*'), path(fasta, stageAs: 'fasta??/*'),
        path(labels, stageAs: 'labels??/*')
    path kept
    val flags

    output:
    path "experiment/configurations/${name}", optional: true, emit: configuration
    tuple val('histpred'), eval('histpred --version'), topic: versions

    script:
    def write_genomes = "cat > genomes.csv <<'END'\n${genomes}\nEND"
    """
    ${write_genomes}
    ${links}
    kept=\$(dirname "\$(readlink -f ${kept ?: 'none'})")
    histpred experiment ${sheet} genomes.csv -o experiment -t ${task.cpus} --only ${name} ${flags} \\
        --cache "\$kept/genomes" --store "\$kept/embeddings/experiment" || test \$? -eq 1
    """

    stub:
    """
    mkdir -p experiment/configurations/${name}
    """
}
