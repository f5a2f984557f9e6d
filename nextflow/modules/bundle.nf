// Identify the source of the scores, as a value. A task's hash does not cover the package in its container, nor a bundle
// that ships in it. This task runs at every launch, so -resume never uses the scores of another bundle.
process BUNDLE {
    tag "${name}"
    label 'process_single'
    container "histpred:${workflow.manifest.version}"
    cache false

    input:
    tuple val(name), val(source), path(bundle, stageAs: 'bundle')

    output:
    tuple val(name), eval('cat identity'), emit: identity
    tuple val('histpred'), eval('histpred --version'), topic: versions

    script:
    // An encoder named without a bundle, or no encoder, has no digest.
    def digest = source.startsWith('--bundle') ? "histpred bundle digest ${source - '--bundle '}" : 'true'
    def expected = "histpred ${workflow.manifest.version}"
    """
    version=\$(histpred --version)
    if [ "\$version" != "${expected}" ]; then
        echo "error: this is the pipeline of ${expected}, the tasks have \$version: \$(command -v histpred)" >&2
        exit 1
    fi
    { echo "\$version"; ${digest}; } > identity
    """

    stub:
    """
    echo stub > identity
    """
}
