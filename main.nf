#!/usr/bin/env nextflow
// histpred: predict histone marks, train and evaluate bundles, or compare configurations. `--help` lists parameters.

include { check           } from './nextflow/schema/parameters'
include { flags           } from './nextflow/schema/parameters'
include { given           } from './nextflow/schema/parameters'
include { help            } from './nextflow/schema/parameters'
include { quoted          } from './nextflow/schema/parameters'
include { samples         } from './nextflow/schema/parameters'
include { kept_in         } from './nextflow/workflows/kept'
include { pool            } from './nextflow/schema/sheet'
include { BUNDLE          } from './nextflow/modules/bundle'
include { SUMMARY         } from './nextflow/modules/summary'
include { TRACKS          } from './nextflow/modules/tracks'
include { EMBEDDING       } from './nextflow/workflows/embed'
include { EVALUATION      } from './nextflow/workflows/evaluate'
include { EXPERIMENTATION } from './nextflow/workflows/experiment'
include { PREDICTION      } from './nextflow/workflows/predict'
include { SHARDS          } from './nextflow/workflows/shards'
include { TRAINING        } from './nextflow/workflows/train'
include { VERSIONS        } from './nextflow/workflows/versions'

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
    kept // a file in the folder that is kept from run to run

    main:
    def verbs = ['scatter', 'predict', 'embed', 'train', 'evaluate']
    def options = verbs.collectEntries { verb -> [verb, flags(params, schema, verb)] }
    def files = verbs.collectEntries { verb -> [verb, given(params, schema, verb)] }
    named = channel.fromList(samples(params)).map { sample ->
        def source = source_of(sample).toString()
        def folder = sample.bundle instanceof Path ? sample.bundle : []
        def name = folder ? folder.toString() : source ?: 'none'
        def rows = params.mode == 'predict' && params.regions ? quoted(params.regions) : ''
        def fasta = quoted(sample.fasta.toUriString())
        def annotation = sample.annotation ? quoted(sample.annotation.toUriString()) : rows ?: fasta
        def meta = [id: sample.id, source: source, rows: rows, inputs: "${annotation} ${fasta}".toString()]
        def pool = params.pool ? [pool: params.pool.toString(), stated: sample.stated] : [:]
        [name, meta + pool, sample.annotation ?: [], sample.fasta, sample.labels, folder]
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
}

workflow {
    def schema = new groovy.json.JsonSlurper().parse(file("${projectDir}/nextflow/schema/nextflow_schema.json"))
    if (params.help) {
        println(help(schema))
    }
    else {
        check(params, schema).each { warning -> log.warn(warning) }
        def kept = kept_in(file(params.store ?: "${workflow.workDir}/histpred"))
        if (params.mode == 'experiment') {
            EXPERIMENTATION(file(params.sheet), samples(params), kept, flags(params, schema, 'experiment'))
        }
        else {
            HISTPRED(schema, kept)
        }
        VERSIONS()
        workflow.onComplete { log.info(outcome()) }
    }
}
