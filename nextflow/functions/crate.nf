// ro-crate-metadata.json: the results as a Process Run Crate (https://w3id.org/ro/wfrun/process/0.5).

include { digest_of } from './launch'

// Return references to entities: a list, or one alone.
def references(entities) {
    def found = entities.collect { entity -> ['@id': entity['@id']] }
    return found.size() == 1 ? found[0] : found
}

// Return the address of a path: file:///... for local ones.
def address_of(path) {
    return path.fileSystem == java.nio.file.FileSystems.default ? path.toUri().toString() : path.toUriString()
}

// Return an input file or folder as an entity.
def input_entity(path, what) {
    def entity = ['@id': address_of(path), name: path.name, description: what]
    return path.isDirectory()
        ? entity + ['@type': 'Dataset']
        : entity + ['@type': 'File', encodingFormat: path.name ==~ /.*(gz|\.bcf)/ ? 'application/gzip' : 'text/plain']
}

// Return the licence that the manifest of a bundle states, as {license: text}, or nothing.
def licence_of(folder) {
    try {
        def licence = new groovy.json.JsonSlurper().parse(folder.resolve('bundle.json')).licence
        return licence && licence != 'not stated' ? [license: licence] : [:]
    }
    catch (Exception _fault) {
        return [:] // a sample whose bundle is damaged has failed
    }
}

// Return the bundle of a sample as an entity, or none. Its origin names the one that is used by default.
def bundle_of(sample) {
    if (sample.bundle instanceof Path) {
        return [input_entity(sample.bundle, 'Bundle') + licence_of(sample.bundle)]
    }
    if (!sample.origin.startsWith('--bundle ')) {
        return []
    }
    def name = sample.origin - '--bundle '
    def shipped = file("${workflow.projectDir}/histpred/bundle/shipped/${name}", glob: false)
    def entity = ['@id': "#bundle-${name}".toString(), '@type': 'CreativeWork', name: name, description: 'Bundle that ships with histpred']
    return [entity + licence_of(shipped)]
}

// Return the inputs of samples as entities, each once.
def inputs_of(samples) {
    def kinds = [annotation: 'Annotation of the genes', fasta: 'Genome', labels: 'Labels of marks', vcf: 'Variants']
    def found = samples.collectMany { sample ->
        kinds.findAll { column, _what -> sample[column] }.collect { column, what -> input_entity(sample[column], what) } + bundle_of(sample)
    }
    return found.unique { entity -> entity['@id'] }
}

// Return the licence of the results as an entity. A crate must have one.
def licence_entity(stated, inputs) {
    def bundles = inputs.findAll { entity -> entity.license }.collect { entity -> "${entity.name} (${entity.license})".toString() }
    def known = bundles ? "Bundles that were used: ${bundles.unique().join(', ')}. " : ''
    return [
        '@id': '#licence', '@type': 'CreativeWork', name: stated,
        description: "${known}Who ran the pipeline decides on the licence of the results.".toString(),
    ]
}

// Return the folders of results as entities. `mode`, `tracks`: parameters of the run; `finished`: names of samples.
def results_of(finished, mode, tracks) {
    def kinds = [
        predict: [predictions: 'Scores and calls of histone marks'] + (tracks ? [tracks: 'Tracks for genome browsers'] : [:]),
        train: [bundles: 'Trained bundle', evaluations: 'Evaluation of the trained bundle'],
        evaluate: [evaluations: 'Evaluation of a bundle'],
        variants: [variants: 'Effects of variants'],
    ][mode]
    if (mode == 'experiment') {
        return [
            ['@id': 'experiment/', '@type': 'Dataset', name: 'Experiment', description: 'Report and tables of all configurations.'],
            pipeline_info(),
        ]
    }
    def found = finished.toSorted().collectMany { id ->
        kinds.collect { folder, what ->
            ['@id': "${folder}/${id}/".toString(), '@type': 'Dataset', name: "${what}: ${id}".toString(), description: "${what} for the sample ${id}.".toString()]
        }
    }
    def multiqc = ['@id': 'multiqc/', '@type': 'Dataset', name: 'MultiQC', description: 'Sections for MultiQC of all samples.']
    return found + [multiqc, pipeline_info()]
}

def pipeline_info() {
    return ['@id': 'pipeline_info/', '@type': 'Dataset', name: 'Reports on the run', description: 'Trace, timeline, report and graph by Nextflow, and versions.']
}

// Return the images of the run as entities. `images`: names.
def images_of(images) {
    def kind = workflow.containerEngine in ['docker', 'podman'] ? 'DockerImage' : 'SIFImage'
    return images.collect { image ->
        def digest = digest_of(image)
        def known = digest?.startsWith('sha256:') ? [sha256: digest - 'sha256:'] : [:]
        [
            '@id': "#image-${image}".toString(), '@type': 'ContainerImage', name: image,
            additionalType: ['@id': "https://w3id.org/ro/terms/workflow-run#${kind}".toString()],
        ] + known
    }
}

// Return the pipeline and what it needs as entities.
def software_of(launch) {
    def nextflow = [
        '@id': 'https://www.nextflow.io', '@type': 'SoftwareApplication', name: 'Nextflow',
        url: 'https://www.nextflow.io', softwareVersion: launch.nextflow,
    ]
    def address = workflow.repository ?: workflow.projectDir.toUri().toString()
    def pipeline = [
        '@id': address, '@type': 'SoftwareApplication', name: launch.pipeline, url: address,
        description: workflow.manifest.description,
        softwareVersion: launch.revision ? "${launch.version} (${launch.revision})".toString() : launch.version,
        softwareRequirements: ['@id': nextflow['@id']],
    ]
    return [pipeline, nextflow]
}

// Return the run as an entity. `error`: what went wrong, or null.
def run_entity(launch, used, results, images, error) {
    def seconds = java.time.temporal.ChronoUnit.SECONDS
    def run = [
        '@id': "#${workflow.runName}".toString(), '@type': 'CreateAction', name: "Run ${workflow.runName}".toString(),
        description: "${workflow.commandLine} (profile ${launch.profile})".toString(),
        startTime: workflow.start.truncatedTo(seconds).toString().replace('Z', '+00:00'),
        endTime: workflow.complete.truncatedTo(seconds).toString().replace('Z', '+00:00'),
        actionStatus: "http://schema.org/${error ? 'Failed' : 'Completed'}ActionStatus".toString(),
        agent: ['@id': '#user'], object: references(used), result: references(results),
    ]
    return run + (images ? [containerImage: references(images)] : [:]) + (error ? [error: error] : [:])
}

// Return the crate as a map. `inputs`, `results`, `images`: entities.
def crate_of(launch, finished, inputs, results, images, error) {
    def parameters = launch.parameters.collect { name, value ->
        ['@id': "#parameter-${name}".toString(), '@type': 'PropertyValue', name: name, value: value]
    }
    def software = software_of(launch)
    def run = run_entity(launch, inputs + parameters, results, images, error) + [instrument: ['@id': software[0]['@id']]]
    def profile = ['@id': 'https://w3id.org/ro/wfrun/process/0.5', '@type': 'CreativeWork', name: 'Process Run Crate', version: '0.5']
    def user = ['@id': '#user', '@type': 'Person', name: workflow.userName]
    def licence = licence_entity(launch.parameters.licence ?: 'not stated', inputs)
    def root = [
        '@id': './', '@type': 'Dataset', name: "histpred: ${finished.toSorted().join(', ')}".toString(),
        description: "Results of the pipeline ${launch.pipeline} ${launch.version}".toString(),
        datePublished: run.endTime, conformsTo: ['@id': profile['@id']], author: ['@id': user['@id']],
        license: ['@id': licence['@id']], mentions: ['@id': run['@id']],
        hasPart: references(results + inputs.findAll { entity -> entity['@type'] != 'CreativeWork' }),
    ]
    def descriptor = [
        '@id': 'ro-crate-metadata.json', '@type': 'CreativeWork', about: ['@id': './'],
        conformsTo: ['@id': 'https://w3id.org/ro/crate/1.1'],
    ]
    return [
        '@context': ['https://w3id.org/ro/crate/1.1/context', 'https://w3id.org/ro/terms/workflow-run/context'],
        '@graph': [descriptor, root, run] + software + parameters + images + results + inputs + [profile, user, licence],
    ]
}

// Write the crate of a run. `parameters`: all; `finished`: names of samples with results; `images`: names; `error`: what
// went wrong, or null.
def write_crate(parameters, launch, samples, finished, images, error) {
    def results = results_of(finished, parameters.mode.toString(), parameters.tracks.toString() == 'true')
    def crate = crate_of(launch, finished, inputs_of(samples), results, images_of(images), error)
    def text = groovy.json.JsonOutput.prettyPrint(groovy.json.JsonOutput.toJson(crate))
    file("${parameters.outdir}/ro-crate-metadata.json", glob: false).text = "${text}\n".toString()
}
