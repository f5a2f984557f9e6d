// Check the annotation against the genome and write shards of about equal work: of windows, or of a VCF and the windows that
// read its alleles.
process SCATTER {
    tag "${meta.id}"
    label 'process_single'
    container "histpred:${workflow.manifest.version}"

    input:
    tuple val(meta), path(annotation, stageAs: 'annotation/*'), path(fasta, stageAs: 'genome/*'),
        path(vcf, stageAs: 'vcf/*'), path(bundle, stageAs: 'bundle'), val(identity)
    path kept
    path given, stageAs: 'given/*'
    val flags

    output:
    tuple val(meta), path('scatter'), emit: shards
    tuple val('histpred'), eval('histpred --version'), topic: versions

    script:
    def parts = vcf ? "--vcf ${vcf} --vcf-recorded-as ${meta.vcf}" : ''
    """
    histpred scatter ${meta.rows} ${annotation} ${fasta} ${parts} -o scatter ${meta.source} ${flags} --recorded-as ${meta.inputs} \\
        --cache "\$(dirname "\$(readlink -f ${kept ?: 'none'})")/genomes"
    """

    stub:
    """
    mkdir -p scatter/shards
    touch scatter/ledger.tsv scatter/shards/0001.tsv scatter/shards/0002.tsv
    echo '{"expensive": true, "identity": {"FASTA sha256": "stub"}, "shards": [
        {"file": "shards/0001.tsv", "bases": 1}, {"file": "shards/0002.tsv", "bases": 1}]}' > scatter/scatter.json
    """
}
