#!/usr/bin/env nextflow
// histpred: predict histone marks from annotations and genomes, or train and evaluate bundles. `--help` lists parameters.

include { check      } from './nextflow/schema/parameters'
include { flags      } from './nextflow/schema/parameters'
include { given      } from './nextflow/schema/parameters'
include { help       } from './nextflow/schema/parameters'
include { quoted     } from './nextflow/schema/parameters'
include { samples    } from './nextflow/schema/parameters'
include { pool       } from './nextflow/schema/sheet'
include { BUNDLE     } from './nextflow/modules/bundle'
include { SUMMARY    } from './nextflow/modules/summary'
include { TRACKS     } from './nextflow/modules/tracks'
include { EMBEDDING  } from './nextflow/workflows/embed'
include { EVALUATION } from './nextflow/workflows/evaluate'
include { PREDICTION } from './nextflow/workflows/predict'
include { SHARDS     } from './nextflow/workflows/shards'
include { TRAINING   } from './nextflow/workflows/train'

// Return a tag file in the folder that keeps embeddings and genome indexes from run to run. Containers mount the folders
// of input files, so tasks reach the folder through this file, and new files in it change no task's hash.
// (https://bford.info/cachedir)
def kept_in(folder) {
    def tag = folder.resolve('CACHEDIR.TAG')
    folder.mkdirs()
    if (!tag.exists()) {
        tag.text = 'Signature: 8a477f597d28d172789f06886806bc55\n# Kept by histpred from run to run.\n'
        // With a fixed time, -resume accepts a folder that was emptied and made again.
        java.nio.file.Files.setLastModifiedTime(tag, java.nio.file.attribute.FileTime.fromMillis(0))
    }
    return tag
}

// DeepHistone and spectra read bases: they have no encoder, so nothing is embedded.
def reads_bases() {
    return params.mode == 'train' && params.model != 'mlp'
}

// Return the options that name the encoder of a sample. The folder of a bundle is staged.
def source_of(sample) {
    if (reads_bases()) {
        return ''
    }
    if (sample.bundle) {
        return "--bundle ${sample.bundle instanceof Path ? './bundle' : sample.bundle}"
    }
    return params.mode == 'train' ? "--encoder ${quoted(params.encoder ?: 'kmer')}" : '--bundle human-promoter'
}

def outcome() {
    return workflow.success
        ? "Results are in ${params.outdir}."
        : "Failed: see the error above. Run the same command with -resume: finished tasks do not run again."
}

workflow HISTPRED {
    take:
    schema

    main:
    def verbs = ['scatter', 'predict', 'embed', 'train', 'evaluate']
    def options = verbs.collectEntries { verb -> [verb, flags(params, schema, verb)] }
    def files = verbs.collectEntries { verb -> [verb, given(params, schema, verb)] }
    def kept = kept_in(file(params.store ?: "${workflow.workDir}/histpred"))
    named = channel.fromList(samples(params)).map { sample ->
        def source = source_of(sample).toString()
        def folder = sample.bundle instanceof Path ? sample.bundle : []
        def name = folder ? folder.toString() : source ?: 'none'
        def inputs = [sample.annotation, sample.fasta].collect { path -> quoted(path.toUriString()) }.join(' ')
        def meta = [id: sample.id, source: source, inputs: inputs]
        def pool = params.pool ? [pool: params.pool.toString(), stated: sample.stated] : [:]
        [name, meta + pool, sample.annotation, sample.fasta, sample.labels, folder]
    }
    BUNDLE(named.map { name, meta, _annotation, _fasta, _labels, bundle -> [name, meta.source, bundle] }.unique())
    // [meta, annotation, fasta, labels, bundle, identity of the bundle]
    inputs = named.combine(BUNDLE.out.identity, by: 0).map { sample -> sample.drop(1) }

    SHARDS(
        inputs
            .filter { !reads_bases() }
            .map { meta, annotation, fasta, _labels, bundle, identity -> [meta, annotation, fasta, bundle, identity] },
        kept,
        files.scatter,
        options.scatter,
    )
    if (params.mode == 'predict') {
        PREDICTION(SHARDS.out.shards, SHARDS.out.scattered, kept, files.predict, options.predict)
        results = PREDICTION.out.predictions
        if (params.tracks) {
            TRACKS(
                results
                    .map { meta, folder -> [meta.id, meta, folder] }
                    .join(inputs.map { meta, _annotation, fasta, _labels, _bundle, _identity -> [meta.id, fasta] })
                    .map { _id, meta, folder, fasta -> [meta, folder, fasta] },
                kept,
            )
        }
    }
    else {
        EMBEDDING(inputs, SHARDS.out.shards, kept, files.embed, options.embed)
        ready = pool(reads_bases() ? inputs : EMBEDDING.out.ready, params.pool)
        if (params.mode == 'train') {
            TRAINING(ready, kept, files, options)
            results = TRAINING.out.evaluations
        }
        else {
            EVALUATION(ready, kept, files.evaluate, options.evaluate)
            results = EVALUATION.out.evaluations
        }
    }
    SUMMARY(results.map { _meta, folder -> folder }.toSortedList { folder -> folder.name }.filter { folders -> folders })

    channel.topic('versions')
        .mix(channel.of(['Nextflow', "${workflow.nextflow.version}"]))
        .map { program, version -> "${program}: ${version.tokenize(' ').last()}\n" }
        .unique()
        .collectFile(name: 'versions.yml', storeDir: "${params.outdir}/pipeline_info", sort: true)
}

workflow {
    def schema = new groovy.json.JsonSlurper().parse(file("${projectDir}/nextflow/schema/nextflow_schema.json"))
    if (params.help) {
        println(help(schema))
    }
    else {
        check(params, schema).each { warning -> log.warn(warning) }
        HISTPRED(schema)
        workflow.onComplete { log.info(outcome()) }
    }
}
