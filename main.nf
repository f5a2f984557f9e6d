#!/usr/bin/env nextflow
// histpred: predict histone marks, train and evaluate bundles, compare configurations, score variants. See `--help`.

include { changed         } from './nextflow/schema/parameters'
include { check           } from './nextflow/schema/parameters'
include { flags           } from './nextflow/schema/parameters'
include { given           } from './nextflow/schema/parameters'
include { help            } from './nextflow/schema/parameters'
include { is_local        } from './nextflow/schema/parameters'
include { samples         } from './nextflow/schema/parameters'
include { refuse_ignored  } from './nextflow/schema/parameters'
include { kept_in         } from './nextflow/functions/kept'
include { ended           } from './nextflow/functions/outcome'
include { launch          } from './nextflow/functions/launch'
include { quoted          } from './nextflow/functions/quoted'
include { pool            } from './nextflow/schema/sheet'
include { BUNDLE          } from './nextflow/modules/bundle'
include { MULTIQC         } from './nextflow/modules/multiqc'
include { SUMMARY         } from './nextflow/modules/summary'
include { EMBEDDING       } from './nextflow/workflows/embed'
include { EVALUATION      } from './nextflow/workflows/evaluate'
include { EXPERIMENTATION } from './nextflow/workflows/experiment'
include { SCORING         } from './nextflow/workflows/scoring'
include { SHARDS          } from './nextflow/workflows/shards'
include { TRAINING        } from './nextflow/workflows/train'
include { VERSIONS        } from './nextflow/workflows/versions'

// DeepHistone and spectra read bases: they have no encoder, so nothing is embedded.
def reads_bases() {
    return params.mode == 'train' && params.model != 'mlp'
}

// Return the options that name the encoder of a sample. The folder of a bundle is staged.
def source_of(sample) {
    if (reads_bases() && params.from == null) {
        return ''
    }
    if (sample.bundle) {
        return "--bundle ${sample.bundle instanceof Path ? './bundle' : sample.bundle}"
    }
    return params.mode == 'train' ? "--encoder ${quoted(params.encoder ?: 'kmer')}" : '--bundle human-promoter'
}

// Return the name of what scores a sample, by which its BUNDLE task is tagged.
def origin(sample) {
    return sample.bundle instanceof Path ? sample.bundle.toString() : source_of(sample).toString() ?: 'none'
}

workflow HISTPRED {
    take:
    schema
    chosen // samples, as parameters.nf returns them, with their origin
    about  // what launched this run
    kept   // a file in the folder that is kept from run to run, or []

    main:
    def verbs = ['scatter', 'predict', 'embed', 'train', 'evaluate', 'variants']
    def options = verbs.collectEntries { verb -> [verb, flags(params, schema, verb)] }
    def files = verbs.collectEntries { verb -> [verb, given(params, schema, verb)] }
    named = channel.fromList(chosen).map { sample ->
        def source = source_of(sample).toString()
        def bundle = sample.bundle instanceof Path ? sample.bundle : []
        def rows = params.mode in ['predict', 'variants'] && params.regions ? quoted(params.regions) : ''
        def fasta = quoted(sample.fasta.toUriString())
        def annotation = sample.annotation ? quoted(sample.annotation.toUriString()) : rows ?: fasta
        def meta = [id: sample.id, source: source, rows: rows, inputs: "${annotation} ${fasta}".toString()]
        def results = params.mode == 'variants'
            ? [results: 'variants', vcf: quoted(sample.vcf.toUriString())]
            : [results: 'predictions']
        def pool = params.pool ? [pool: params.pool.toString(), stated: sample.stated] : [:]
        def beside = params.mode == 'variants' ? sample.vcf : sample.labels
        [sample.origin, meta + results + pool, sample.annotation ?: [], sample.fasta, beside, bundle]
    }
    BUNDLE(named.map { name, meta, _annotation, _fasta, _labels, bundle -> [name, meta.source, bundle] }.unique())
    // [meta, annotation, fasta, labels or VCF, bundle, identity of the bundle]
    inputs = named.combine(BUNDLE.out.identity, by: 0).map { sample -> sample.drop(1) }

    SHARDS(
        inputs
            .filter { !reads_bases() }
            .map { meta, annotation, fasta, beside, bundle, identity ->
                [meta, annotation, fasta, params.mode == 'variants' ? beside : [], bundle, identity]
            },
        kept,
        files.scatter,
        options.scatter,
    )
    if (params.mode in ['predict', 'variants']) {
        def of_vcf = params.mode == 'variants'
        genomes = inputs.map { meta, _annotation, fasta, _labels, _bundle, _identity -> [meta.id, fasta] }
        SCORING(
            SHARDS.out.shards, SHARDS.out.scattered, genomes,
            kept, files[params.mode], options[params.mode], about,
            of_vcf, params.tracks && !of_vcf,
        )
        results = SCORING.out.results
        finished = SCORING.out.finished
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
        finished = results
    }
    SUMMARY(results.map { _meta, folder -> folder }.toSortedList { folder -> folder.name }.filter { folders -> folders })
    if (params.multiqc) {
        MULTIQC(SUMMARY.out.multiqc)
    }

    emit:
    finished // [meta, folder] of each sample with all its results
}

workflow {
    def schema = new groovy.json.JsonSlurper().parse(file("${projectDir}/nextflow/schema/nextflow_schema.json"))
    if (params.help) {
        println(help(schema))
    }
    else {
        refuse_ignored(params, schema)
        check(params, schema).each { warning -> log.warn(warning) }
        def all = samples(params).collect { sample -> sample + [origin: origin(sample)] }
        def about = launch(changed(params, schema))
        def finished = [].asSynchronized()
        // An object store is no folder that tasks share: each task then embeds and indexes for itself.
        def store = file(params.store ?: "${workflow.workDir}/histpred")
        def kept = is_local(workflow.workDir) ? kept_in(store) : []
        if (params.mode == 'experiment') {
            EXPERIMENTATION(file(params.sheet), all, kept, flags(params, schema, 'experiment'))
            EXPERIMENTATION.out.report.subscribe { _report -> finished.addAll(all*.id) }
        }
        else {
            HISTPRED(schema, all, about, kept)
            HISTPRED.out.finished.subscribe { meta, _folder -> finished << meta.id }
        }
        VERSIONS()
        def own = params + [:] // the handler does not see params
        // A preview (nextflow inspect, -preview) runs no task, so it has no outcome.
        if (!workflow.preview) {
            workflow.onComplete { log.info(ended(own, about, all, finished)) }
        }
    }
}
