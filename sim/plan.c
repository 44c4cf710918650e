#include "sim/plan.h"

void sk_plan_note(FILE *notes, const sk_plan_fault *fault)
{
    fwrite(fault, sizeof *fault, 1, notes);
}

void sk_plan_read(sk_plan *plan, FILE *notes)
{
    rewind(notes);
    plan->count = 0;
    while (plan->count < SK_PLAN_FAULTS_MAX && fread(&plan->list[plan->count], sizeof plan->list[0], 1, notes) == 1)
        plan->count++;
}
