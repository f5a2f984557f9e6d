// Choose the genes of an experiment and make its splits.
process PLAN {
    label 'process_high'
    container "histpred:${workflow.manifest.version}-train"

    input:
    tuple path(sheet, stageAs: 'sheet/*'), val(links), path(named, stageAs: 'named??/*')
    tuple val(genomes), path(annotation, stageAs: 'annotation??/*'), path(fasta, stageAs: 'fasta??/*'),
        path(labels, stageAs: 'labels??/*')
    path kept

    output:
    path 'experiment/plan', emit: plan
    tuple val('histpred'), eval('histpred --version'), topic: versions

    script:
    def write_genomes = "cat > genomes.csv <<'END'\n${genomes}\nEND"
    """
    ${write_genomes}
    ${links}
    kept=\$(dirname "\$(readlink -f ${kept ?: 'none'})")
    histpred experiment ${sheet} genomes.csv -o experiment -t ${task.cpus} --plan --cache "\$kept/genomes"
    """

    stub:
    """
    mkdir -p experiment/plan
    echo '{"identity": {"configurations": {"stub": {}}}}' > experiment/plan/plan.json
    """
}
