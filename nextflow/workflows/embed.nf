include { EMBED } from '../modules/embed'

// For slow encoders, embed all windows into the store, in shards that run in parallel, before the one task that needs
// them all. Without a folder that all tasks share, that task embeds them itself.
workflow EMBEDDING {
    take:
    samples // [meta, annotation, fasta, labels, bundle, identity]
    shards  // [meta, shard, fasta, bundle, identity]
    kept    // a file in the folder that is kept from run to run, or []
    given   // files that options name
    flags

    main:
    shards = shards.branch { meta, _shard, _fasta, _bundle, _identity ->
        expensive: meta.expensive && kept
        cheap: true
    }
    EMBED(shards.expensive, kept, given, flags)
    done = EMBED.out.done
        .mix(shards.cheap.map { meta, _shard, _fasta, _bundle, _identity -> meta })
        .map { meta -> [groupKey(meta.id, meta.shards), meta.subMap('expensive', 'genome')] }
        .groupTuple()
        .map { id, found -> [id.toString(), found.first()] }
    ready = samples
        .map { sample -> [sample[0].id, sample] }
        .join(done)
        .map { _id, sample, found -> [sample[0] + found] + sample.drop(1) }

    emit:
    ready // the samples, with expensive and genome in their meta
}
