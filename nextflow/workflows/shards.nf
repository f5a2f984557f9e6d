include { SCATTER } from '../modules/scatter'

// Return a sample's shards from scatter.json: [meta with name, shard, shards, bases or alleles, genome, expensive and window,
// the shard's files]. A table of windows does not tell that regions and sequences are intervals, so predict is told. A shard
// of a VCF has such a table beside it.
def shards_of(meta, folder) {
    def record = new groovy.json.JsonSlurper().parse(folder.resolve('scatter.json'))
    def common = meta + [
        expensive: record.expensive,
        genome: meta.pool ?: record.identity['FASTA sha256'].take(16),
        shards: record.shards.size(),
        window: record.identity.window?.first() == 'interval' ? '--window interval' : '',
    ]
    return record.shards.withIndex(1).collect { shard, number ->
        def own = [
            name: shard.file.tokenize('/').last().tokenize('.').first(),
            shard: "${number}/${common.shards}".toString(),
        ]
        def size = shard.table ? [alleles: shard.alleles] : [bases: shard.bases]
        def file = folder.resolve(shard.file)
        [common + own + size, shard.table ? [file, folder.resolve(shard.table)] : file]
    }
}

workflow SHARDS {
    take:
    samples // [meta, annotation, fasta, VCF or [], bundle, identity]
    kept    // a file in the folder that is kept from run to run, or []
    given   // files that options name
    flags

    main:
    SCATTER(samples, kept, given, flags)
    scattered = SCATTER.out.shards
        .map { meta, folder -> [meta.id, meta, folder] }
        .join(samples.map { meta, _annotation, _fasta, _vcf, bundle, _identity -> [meta.id, bundle] })
        .map { _id, meta, folder, bundle -> [meta, folder, bundle] }
    shards = SCATTER.out.shards
        .flatMap { meta, folder -> shards_of(meta, folder) }
        .map { meta, shard -> [meta.id, meta, shard] }
        .combine(samples.map { meta, _annotation, fasta, _vcf, bundle, identity -> [meta.id, fasta, bundle, identity] }, by: 0)
        .map { _id, meta, shard, fasta, bundle, identity -> [meta, shard, fasta, bundle, identity] }

    emit:
    shards    // [meta, files of the shard, fasta, bundle, identity]
    scattered // [meta, folder, bundle]
}
