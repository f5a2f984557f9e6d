// Write MultiQC sections of all samples.
process SUMMARY {
    label 'process_single'
    container "histpred:${workflow.manifest.version}"

    input:
    path outputs, stageAs: 'outputs/*'

    output:
    path 'multiqc', emit: multiqc
    tuple val('histpred'), eval('histpred --version'), topic: versions

    script:
    """
    histpred summary outputs/* -o multiqc
    """

    stub:
    """
    mkdir multiqc
    """
}
