// Score what each allele of a VCF changes.
process VARIANTS {
    tag "${meta.id}"
    label 'process_gpu'
    // `nextflow inspect` has no sample.
    container "histpred:${workflow.manifest.version}${meta?.expensive ? '-train' : ''}"

    input:
    tuple val(meta), path(annotation, stageAs: 'annotation/*'), path(fasta, stageAs: 'genome/*'),
        path(vcf, stageAs: 'vcf/*'), path(bundle, stageAs: 'bundle'), val(identity)
    path kept
    path given, stageAs: 'given/*'
    val flags

    output:
    tuple val(meta), path("variants/${meta.id}"), emit: effects
    tuple val('histpred'), eval('histpred --version'), topic: versions

    script:
    def store = meta.expensive ? '--store "$kept/embeddings/variants"' : ''
    """
    kept=\$(dirname "\$(readlink -f ${kept ?: 'none'})")
    histpred variants ${vcf} ${meta.rows} ${annotation} ${fasta} -o variants/${meta.id} -t ${task.cpus} ${meta.source} ${flags} \\
        --recorded-as ${meta.inputs} --cache "\$kept/genomes" ${store}
    """

    stub:
    """
    mkdir -p variants/${meta.id}
    touch variants/${meta.id}/effects.tsv.gz
    """
}
