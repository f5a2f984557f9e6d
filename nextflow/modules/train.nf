// Train a bundle from labels, windows and their stored embeddings.
process TRAIN {
    tag "${meta.id}"
    label 'process_gpu'
    label 'process_high'
    container "histpred:${workflow.manifest.version}-train"

    input:
    tuple val(meta), path(annotation, stageAs: 'annotation??/*'), path(fasta, stageAs: 'fasta??/*'),
        path(labels, stageAs: 'labels??/*'), path(bundle, stageAs: 'bundle'), val(identity)
    path kept
    path given, stageAs: 'given/*'
    val flags

    output:
    tuple val(meta), path("bundles/${meta.id}"), emit: bundle
    tuple val('histpred'), eval('histpred --version'), topic: versions

    script:
    def inputs = meta.genomes ? 'genomes.csv' : "${annotation} ${fasta} ${labels}"
    def sheet = meta.genomes ? "cat > genomes.csv <<'END'\n${meta.genomes}\nEND" : ''
    def store = meta.expensive ? "--store \"\$kept/embeddings/${meta.genome}\"" : ''
    """
    ${sheet}
    kept=\$(dirname "\$(readlink -f ${kept ?: 'none'})")
    histpred train ${inputs} -o bundles/${meta.id} -t ${task.cpus} ${meta.source} ${flags} \\
        --cache "\$kept/genomes" ${store}
    """

    stub:
    """
    mkdir -p bundles/${meta.id}
    touch bundles/${meta.id}/bundle.json
    """
}
