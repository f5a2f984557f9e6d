// What the records say of a run: the pipeline, Nextflow, the profile, parameters and containers.

// Return what a command prints, or null if it fails or takes more than 10 s.
def answer_of(command) {
    try {
        def process = command.execute()
        process.waitForOrKill(10_000)
        return process.exitValue() == 0 ? process.text.trim() : null
    }
    catch (Exception _fault) {
        return null
    }
}

// Return the commit of the pipeline, followed by '-dirty' if files were changed since, or null if it is in no repository.
def revision() {
    return workflow.commitId ?: answer_of(['git', '-C', projectDir.toString(), 'describe', '--always', '--dirty', '--abbrev=40', '--exclude=*'])
}

// Return what launched this run, with the parameters that differ from their defaults.
def launch(parameters) {
    return [
        pipeline: workflow.manifest.name,
        version: workflow.manifest.version,
        revision: revision(),
        nextflow: workflow.nextflow.version.toString(),
        profile: workflow.profile,
        parameters: parameters,
    ]
}

// Return the digest of an image: from its name, or from the engine of this machine; null if neither knows it.
def digest_of(image) {
    if (image.contains('@')) {
        return image.tokenize('@').last()
    }
    def field = [docker: '{{.Id}}', podman: '{{.Digest}}'][workflow.containerEngine ?: '']
    return field ? answer_of([workflow.containerEngine, 'image', 'inspect', '--format', field, image]) : null
}

// Return what launched a task, as JSON for --launched-by. `image`: of the task, null without containers.
def launch_json(launch, image) {
    def used = workflow.containerEngine && image ? [container: image, container_digest: digest_of(image)] : [:]
    return groovy.json.JsonOutput.toJson(launch + used)
}
