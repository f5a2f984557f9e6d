#!/usr/bin/env bash
# The experiments of docs/experiments/README.md:
#
#   docs/experiments/run.sh DATA WORK [chr22|regions|yeast|marks|leakage ...]
#
# DATA holds human/ and yeast/. All outputs go to WORK. All experiments together take a few hours on two cores. If a run
# stops, run the same command again: it resumes.
set -euo pipefail
data=$1 work=$2
shift 2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
histpred=${HISTPRED:-histpred}
# The paper's five hidden layers at an eighth of their width, for about 90 times less arithmetic.
thin=(--hidden 256,128,96,64,32)
# The paper's thresholds.
calls=(--calls youden)

[ -f "$work/yeast.labels.tsv" ] || "${PYTHON:-python}" "$here/prepare.py" "$data" "$work"
cd "$work"

# train and evaluate NAME ANNOTATION FASTA LABELS OPTIONS...
experiment() {
    local name=$1 annotation=$2 fasta=$3 labels=$4
    shift 4
    echo "== $name: $*"
    "$histpred" train "$annotation" "$fasta" "$labels" -o "$name" "${calls[@]}" "$@" 2>"$name.log" || { tail -5 "$name.log"; return 1; }
    "$histpred" evaluate "$name" "$annotation" "$fasta" "$labels" -o "$name-evaluation" 2>>"$name.log"
}

# Peaks reach to 40 Mb. A gene has a mark if at least a quarter of the samples have a peak within 2 kb of its TSS.
gene_labels() {
    [ -f genes.labels/labels.json ] && return
    gunzip -c "$data/human/chr22/genes.chr22.gtf.gz" | awk '$5 < 39996000' >genes.gtf
    "$histpred" labels peaks genes.gtf "$data"/human/chr22/peaks/*.bed.gz --min-samples 0.25 -o genes.labels
}

few_tiles() {
    awk 'NR == 1 || NR % 4 == 2' tiles.labels.tsv >tiles.few.labels.tsv
}

chr22() {
    local genome=$data/human/chr22/hg19.chr22.fa.gz genes=$data/human/chr22/genes.chr22.gtf.gz
    local split=(--split chr22.split.bed)
    experiment tiles-kmer tiles.bed "$genome" tiles.labels.tsv "${split[@]}" "${thin[@]}" \
        --window promoter:1000:1000
    # A quarter of the rows and few epochs. The metrics are on its card.
    few_tiles
    "$histpred" train tiles.bed "$genome" tiles.few.labels.tsv -o tiles-deephistone "${split[@]}" \
        --model deephistone --batch 20 --epochs 2

    gene_labels
    experiment genes-promoter "$genes" "$genome" genes.labels "${split[@]}" "${thin[@]}" --batch 32 \
        --window promoter:1000:1000
    experiment genes-context "$genes" "$genome" genes.labels "${split[@]}" "${thin[@]}" --batch 32 --window context
    experiment genes-body "$genes" "$genome" genes.labels "${split[@]}" "${thin[@]}" --batch 32 --window body
    # Few epochs: an epoch of the adapted form takes a quarter of an hour on one core.
    experiment genes-deephistone "$genes" "$genome" genes.labels "${split[@]}" --model deephistone --batch 20 \
        --epochs 6
    experiment genes-adapted "$genes" "$genome" genes.labels "${split[@]}" --model deephistone-adapted --batch 20 \
        --epochs 1
    "$histpred" evaluate genes-promoter "$genes" "$genome" genes.labels -o genes-together \
        --beside genes-context --beside genes-body --beside genes-deephistone --beside genes-adapted 2>genes-together.log
}

regions() {
    experiment regions regions.gtf regions.fa.gz regions.labels.tsv --split regions.split.tsv "${thin[@]}" \
        --window spliced --epochs 20
}

yeast_genes=$data/yeast/Improved_annotation_for_Scerevisiae.bed yeast_genome=$data/yeast/sacCer3.fa.gz
by_chromosome=(--split chromosome --test-chromosomes chrII,chrIV,chrIX,chrXIV --validation-chromosomes chrXVI)

yeast() {
    for window in promoter:500:500 body context:1000 context:30000; do
        experiment "yeast-${window//:/-}" "$yeast_genes" "$yeast_genome" yeast.labels.tsv "${by_chromosome[@]}" \
            "${thin[@]}" --window $window
    done
    "$histpred" evaluate yeast-context-1000 "$yeast_genes" "$yeast_genome" yeast.labels.tsv -o yeast-together \
        --beside yeast-promoter-500-500 --beside yeast-body --beside yeast-context-30000 2>yeast-together.log
}

marks() {
    local size loss
    for size in 50 32 16 8 4 2; do
        experiment "marks-$size" "$yeast_genes" "$yeast_genome" yeast.labels.tsv "${by_chromosome[@]}" "${thin[@]}" \
            --window context:1000 --mark-dimension $size
    done
    experiment marks-50-undersampled "$yeast_genes" "$yeast_genome" yeast.labels.tsv "${by_chromosome[@]}" \
        "${thin[@]}" --window context:1000 --mark-dimension 50 --loss undersampled
    for loss in weighted undersampled plain; do
        experiment "loss-$loss" "$yeast_genes" "$yeast_genome" yeast.labels.tsv "${by_chromosome[@]}" "${thin[@]}" \
            --window context:1000 --loss $loss
    done
}

leakage() {
    local split
    for split in random locus; do
        experiment "split-$split" "$yeast_genes" "$yeast_genome" yeast.labels.tsv "${thin[@]}" \
            --window context:1000 --split $split --block 50000
    done
    gene_labels
    for split in random locus; do
        experiment "chr22-$split" "$data/human/chr22/genes.chr22.gtf.gz" "$data/human/chr22/hg19.chr22.fa.gz" \
            genes.labels "${thin[@]}" --batch 32 --window context --split $split
    done
}

for part in "${@:-chr22 regions yeast marks leakage}"; do
    for name in $part; do $name; done
done
